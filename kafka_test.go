package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestKafkaOptions signs in to a broker that asks for it, with the password of a file, and tells what is lacking.
func TestKafkaOptions(t *testing.T) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "seam", "hush"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	fails := func(want string) {
		t.Helper()
		if _, err := kafkaOptions(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
	}
	t.Setenv("SEAM_KAFKA_USER", "seam")
	fails("SEAM_KAFKA_USER is seam and there is no password")
	t.Setenv("SEAM_KAFKA_PASSWORD_FILE", secretFile(t, "hush\n"))
	options, err := kafkaOptions()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(fake.ListenAddrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if err := client.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	t.Setenv("SEAM_KAFKA_SASL", "PLAIN")
	fails("PLAIN sends the password as it is")
	t.Setenv("SEAM_KAFKA_SASL", "GSSAPI")
	fails(`SEAM_KAFKA_SASL is "GSSAPI"`)
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
