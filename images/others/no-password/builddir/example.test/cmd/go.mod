module gokrazy/build/example.test/cmd

go 1.24.0

require example.test/cmd v0.0.0-00010101000000-000000000000

replace example.test/cmd => ../../../../stubs/tools
