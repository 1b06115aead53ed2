package main_test

import (
	"bytes"
	"context"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/binaryandbeyond/seam/connect"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/snippets"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestPrintedProgramsRead runs the programs that seam subscribe prints, as a team would: each reads every order with the stock
// clients of its language.
func TestPrintedProgramsRead(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	topic := k.Topic(t, schemas.TopicOrders, 3, nil)
	want := produceOrders(t, k, topic)
	dir := t.TempDir()
	for language, run := range map[string]func(t *testing.T, file string) *exec.Cmd{
		"go": func(t *testing.T, file string) *exec.Cmd {
			out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file+".run", file).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return exec.CommandContext(t.Context(), file+".run")
		},
		"java": func(t *testing.T, file string) *exec.Cmd {
			return exec.CommandContext(t.Context(), "java", "-cp", filepath.Join(env(t, "SEAM_KAFKA_LIBS"), "*"), file)
		},
		"python": func(t *testing.T, file string) *exec.Cmd {
			return exec.CommandContext(t.Context(), env(t, "SEAM_PYTHON"), file)
		},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			var program bytes.Buffer
			if err := snippets.Write(&program, language, snippets.Subscription{Brokers: k.Brokers, Registry: k.Registry, Topics: []string{topic}, Group: k.Prefix + language}); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, map[string]string{"go": "reader.go", "java": "Reader.java", "python": "reader.py"}[language])
			if err := os.WriteFile(file, program.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			left := map[string]bool{}
			for key := range want {
				left[key] = true
			}
			for _, line := range reads(t, run(t, file), len(want)) {
				topicRead, rest, _ := strings.Cut(line, " ")
				key, value, _ := strings.Cut(rest, " ")
				if topicRead != topic || !left[key] || !strings.Contains(value, want[key].Headers["ce_id"]) || !strings.Contains(value, "order.created") {
					t.Errorf("unexpected: %q", line)
				}
				delete(left, key)
			}
			if len(left) > 0 {
				t.Errorf("never read: %v", left)
			}
		})
	}
}

// TestProgramsSignIn: whatever a cluster asks for is in the program, or is named where its reader must write it.
func TestProgramsSignIn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name          string
		kafka, schema connect.SignIn
		variables     []string
		protocol      string
		left          []string // to the reader
	}{
		{"nobody asks", connect.SignIn{}, connect.SignIn{}, nil, "PLAINTEXT", nil},
		{"a password without TLS", connect.SignIn{Mechanism: "SCRAM-SHA-256"}, connect.SignIn{}, []string{"KAFKA_USER", "KAFKA_PASSWORD"}, "SASL_PLAINTEXT", nil},
		{"the system's authorities", connect.SignIn{Mechanism: "PLAIN", TLS: true}, connect.SignIn{Mechanism: "basic"}, []string{"KAFKA_USER", "KAFKA_PASSWORD", "REGISTRY_USER", "REGISTRY_PASSWORD"}, "SASL_SSL", nil},
		{"certificates", connect.SignIn{Mechanism: "mTLS", TLS: true, CA: true}, connect.SignIn{Mechanism: "bearer tokens", TLS: true, CA: true}, []string{"KAFKA_CA", "REGISTRY_CA"}, "SSL",
			[]string{"the brokers take mTLS: sign in here", "the registry takes bearer tokens: sign in here"}},
		{"a cloud's own", connect.SignIn{Mechanism: "AWS_MSK_IAM", TLS: true}, connect.SignIn{}, nil, "SASL_SSL", []string{"the brokers take AWS_MSK_IAM: sign in here"}},
	} {
		for _, language := range snippets.Languages {
			t.Run(tt.name+"/"+language, func(t *testing.T) {
				t.Parallel()
				var program bytes.Buffer
				if err := snippets.Write(&program, language, snippets.Subscription{Brokers: []string{"kafka:9092"}, Registry: "http://registry", Topics: []string{"orders"}, Group: "finance", Kafka: tt.kafka, Schema: tt.schema}); err != nil {
					t.Fatal(err)
				}
				text := program.String()
				if language == "go" {
					if _, err := parser.ParseFile(token.NewFileSet(), "reader.go", program.Bytes(), parser.AllErrors); err != nil {
						t.Fatal(err)
					}
				} else if (tt.protocol != "PLAINTEXT") != strings.Contains(text, `"security.protocol"`) || tt.protocol != "PLAINTEXT" && !strings.Contains(text, `"`+tt.protocol+`"`) {
					t.Errorf("not %s:\n%s", tt.protocol, text)
				}
				for _, want := range append(tt.left, tt.variables...) {
					if strings.Count(text, want) < 1 {
						t.Errorf("lacks %q:\n%s", want, text)
					}
				}
				if got := strings.Count(text, "sign in here"); got != len(tt.left) {
					t.Errorf("leaves %d to its reader, want %d:\n%s", got, len(tt.left), text)
				}
			})
		}
	}
}

// reads runs a program until it has printed so many lines, and gives them.
func reads(t *testing.T, cmd *exec.Cmd, lines int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Cancel() })
	defer stop()
	var got []string
	if err := topologytest.Run(cmd, func(line string) bool { got = append(got, line); return len(got) == lines }); err != nil {
		t.Fatalf("%d lines of %d: %v", len(got), lines, err)
	}
	return got
}
