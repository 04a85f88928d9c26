module example.test/photo

go 1.24.0
