"""sqllogictest: a runner for suites in sqllogictest-rs's format, and our own cases, one file per feature."""
