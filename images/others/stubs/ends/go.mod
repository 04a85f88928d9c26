module example.test/ends

go 1.24.0
