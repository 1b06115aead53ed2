package connect_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"

	"github.com/binaryandbeyond/seam/connect"
)

// broker is one that asks for TLS and for a sign-in; more configures it.
func broker(t *testing.T, conf *tls.Config, more ...kfake.Opt) string {
	t.Helper()
	fake, err := kfake.NewCluster(append(more, kfake.NumBrokers(1), kfake.TLS(conf))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake.ListenAddrs()[0]
}

// ping asks a broker whether it knows us, by a new client.
func ping(t *testing.T, address string, opts []kgo.Opt) error {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(address), kgo.RequestRetries(0))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return connect.Explain(client.Ping(ctx))
}

// TestKafkaSignsIn by passwords over TLS, with files that change meanwhile, and says what to look at when it is refused.
func TestKafkaSignsIn(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	_, _, pair := ca.issue("broker")
	address := broker(t, &tls.Config{Certificates: []tls.Certificate{pair}}, kfake.EnableSASL(),
		kfake.Superuser("SCRAM-SHA-512", "seam", "hush"), kfake.Superuser("SCRAM-SHA-256", "seam", "hush"), kfake.Superuser("PLAIN", "seam", "hush"))
	password, trusted := write(t, "", "hush\n"), ca.file()
	set := map[string]string{"SEAM_KAFKA_CA": trusted, "SEAM_KAFKA_USER": "seam", "SEAM_KAFKA_PASSWORD_FILE": password}
	for _, how := range []string{"", "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"} {
		with := maps.Clone(set)
		with["SEAM_KAFKA_SASL"] = how
		opts, err := connect.Kafka(vars(with))
		if err != nil {
			t.Fatal(err)
		}
		if err := ping(t, address, opts); err != nil {
			t.Errorf("%q: %v", how, err)
		}
	}

	opts, err := connect.Kafka(vars(set))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(want string) {
		t.Helper()
		if err := ping(t, address, opts); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "wrong-horse") {
			t.Errorf("error = %v, want %q and no secret", err, want)
		}
	}
	write(t, password, "wrong-horse")
	refused("") // in words of this broker's own; TestSecured has a real one's
	write(t, password, "hush")
	write(t, trusted, pemOf("CERTIFICATE", newAuthority(t).cert.Raw))
	refused("set SEAM_KAFKA_CA to the PEM file of the authority that signed its certificate")
	write(t, trusted, pemOf("CERTIFICATE", ca.cert.Raw))
	if err := ping(t, address, opts); err != nil {
		t.Errorf("with files that are right again: %v", err)
	}

	for name, tt := range map[string]struct {
		leave []string
		add   map[string]string
		want  string
	}{
		"no TLS":     {[]string{"SEAM_KAFKA_CA", "SEAM_KAFKA_USER", "SEAM_KAFKA_PASSWORD_FILE"}, nil, "see SEAM_KAFKA_TLS and SEAM_KAFKA_SASL"},
		"no sign-in": {[]string{"SEAM_KAFKA_USER", "SEAM_KAFKA_PASSWORD_FILE"}, nil, "see SEAM_KAFKA_TLS and SEAM_KAFKA_SASL"},
		"a mechanism that it has not": {nil, map[string]string{"SEAM_KAFKA_SASL": "OAUTHBEARER", "SEAM_KAFKA_TOKEN": "wrong-horse"},
			"set SEAM_KAFKA_SASL to a mechanism that the listener has enabled"},
	} {
		with := maps.Clone(set)
		maps.DeleteFunc(with, func(k, _ string) bool { return strings.Contains(strings.Join(tt.leave, " "), k) })
		maps.Copy(with, tt.add)
		if opts, err = connect.Kafka(vars(with)); err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(*testing.T) { refused(tt.want) })
	}
}

// TestKafkaCertificate: a broker that asks for a client's certificate gets it, as its files are at each connection.
func TestKafkaCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t)
	_, _, pair := ca.issue("broker")
	address := broker(t, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool()})
	cert, key, _ := newAuthority(t).issue("of another authority")
	opts, err := connect.Kafka(vars(map[string]string{"SEAM_KAFKA_CA": ca.file(), "SEAM_KAFKA_CERT": cert, "SEAM_KAFKA_KEY": key}))
	if err != nil {
		t.Fatal(err)
	}
	if err := ping(t, address, opts); err == nil || !strings.Contains(err.Error(), "see SEAM_KAFKA_CERT and SEAM_KAFKA_KEY") {
		t.Errorf("a certificate of another authority gives %v", err)
	}
	newCert, newKey, _ := ca.issue("seam")
	write(t, cert, read(t, newCert))
	write(t, key, read(t, newKey))
	if err := ping(t, address, opts); err != nil {
		t.Errorf("after the files were changed: %v", err)
	}
}

// TestKafkaNoTLSThere: a listener without TLS is told apart from one that is down, whether it answers in its own words or hangs up,
// as Kafka does.
func TestKafkaNoTLSThere(t *testing.T) {
	t.Parallel()
	opts, err := connect.Kafka(vars(map[string]string{"SEAM_KAFKA_TLS": "true"}))
	if err != nil {
		t.Fatal(err)
	}
	for words, want := range map[string]string{"not TLS": "it does not speak TLS there", "": "the listener wants TLS, or signing in, or neither"} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ln.Close() })
		go func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = conn.Write([]byte(words))
				conn.Close()
			}
		}()
		if err := ping(t, ln.Addr().String(), opts); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a listener that says %q: %v, want %q", words, err, want)
		}
	}
}

// mechanism is how options sign in.
func mechanism(t *testing.T, set map[string]string) sasl.Mechanism {
	t.Helper()
	opts, err := connect.Kafka(vars(set))
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	return client.OptValue(kgo.SASL).([]sasl.Mechanism)[0]
}

// TestMSK signs in to Amazon MSK with what AWS's variables have: the first words name the key and hold no secret.
func TestMSK(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDSEAM")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
	m := mechanism(t, map[string]string{"SEAM_KAFKA_TLS": "true", "SEAM_KAFKA_SASL": "AWS_MSK_IAM"})
	if m.Name() != "AWS_MSK_IAM" {
		t.Errorf("mechanism %s", m.Name())
	}
	_, first, err := m.Authenticate(t.Context(), "b-1.shop.abc123.c2.kafka.eu-central-1.amazonaws.com:9098")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	if err := json.Unmarshal(first, &said); err != nil {
		t.Fatalf("%v in %s", err, first)
	}
	if !strings.HasPrefix(said["x-amz-credential"], "AKIDSEAM/") || !strings.Contains(said["x-amz-credential"], "/eu-central-1/kafka-cluster/") || strings.Contains(string(first), "hush") {
		t.Errorf("first words: %s", first)
	}
}
