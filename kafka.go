package main

import (
	"crypto/tls"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/binaryandbeyond/seam/topology"
)

// kafkaOptions is how the brokers are reached beside their addresses, from the environment: SEAM_KAFKA_TLS=true for TLS with the
// system's roots; SEAM_KAFKA_USER with SEAM_KAFKA_PASSWORD (or SEAM_KAFKA_PASSWORD_FILE) to sign in, by SEAM_KAFKA_SASL:
// SCRAM-SHA-512 (the default), SCRAM-SHA-256 or PLAIN, which needs TLS.
func kafkaOptions() ([]kgo.Opt, error) {
	lookup := topology.WithFiles(os.LookupEnv)
	var out []kgo.Opt
	secure := os.Getenv("SEAM_KAFKA_TLS") == "true"
	if secure {
		out = append(out, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	user := os.Getenv("SEAM_KAFKA_USER")
	if user == "" {
		return out, nil
	}
	password, _ := lookup("SEAM_KAFKA_PASSWORD")
	if password == "" {
		return nil, fmt.Errorf("SEAM_KAFKA_USER is %s and there is no password: set SEAM_KAFKA_PASSWORD, or SEAM_KAFKA_PASSWORD_FILE to a file that can be read", user)
	}
	switch how := env("SEAM_KAFKA_SASL", "SCRAM-SHA-512"); how {
	case "SCRAM-SHA-512":
		return append(out, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha512Mechanism())), nil
	case "SCRAM-SHA-256":
		return append(out, kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism())), nil
	case "PLAIN":
		if !secure {
			return nil, fmt.Errorf("SEAM_KAFKA_SASL=PLAIN sends the password as it is: set SEAM_KAFKA_TLS=true")
		}
		return append(out, kgo.SASL(plain.Auth{User: user, Pass: password}.AsMechanism())), nil
	default:
		return nil, fmt.Errorf("SEAM_KAFKA_SASL is %q: SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN", how)
	}
}
