module probes

go 1.21
