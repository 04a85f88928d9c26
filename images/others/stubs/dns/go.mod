module example.test/dns

go 1.24.0
