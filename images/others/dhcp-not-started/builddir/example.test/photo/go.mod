module gokrazy/build/example.test/photo

go 1.24.0

require example.test/photo v0.0.0-00010101000000-000000000000

replace example.test/photo => ../../../../stubs/photo
