module gokrazy/build/example.test/dns

go 1.24.0

require example.test/dns v0.0.0-00010101000000-000000000000

replace example.test/dns => ../../../../stubs/dns
