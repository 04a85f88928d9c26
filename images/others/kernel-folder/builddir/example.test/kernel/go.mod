module gokrazy/build/example.test/kernel

go 1.24.0

require example.test/kernel v0.0.0-00010101000000-000000000000

replace example.test/kernel => ../../../kernel
