"""What a run reports to its readers: header, summary, JUnit properties, an HTML page."""
