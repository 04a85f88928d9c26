"""What a run tells its readers: header, summary, JUnit properties, an HTML page."""
