module example.test/cmd

go 1.24.0
