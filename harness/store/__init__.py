"""What is kept between processes and between runs, and the locks over it."""
