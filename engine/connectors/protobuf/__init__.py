"""ENCODE PROTOBUF: a message type's columns, and messages into values. Loaded only where a source or sink has it."""
