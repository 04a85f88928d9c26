module example.test/kernel

go 1.24.0
