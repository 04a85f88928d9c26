module gokrazy/build/example.test/ends

go 1.24.0

require example.test/ends v0.0.0-00010101000000-000000000000

replace example.test/ends => ../../../../stubs/ends
