module example.test/library

go 1.24.0
