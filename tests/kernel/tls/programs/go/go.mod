module speedscale.test/tls

go 1.21
