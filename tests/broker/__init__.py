"""What a Kafka broker does, asked of Tailrace's own, of Apache Kafka and of any other by the same tests."""
