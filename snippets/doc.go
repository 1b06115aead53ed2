// Package snippets holds the programs that seam subscribe prints: the least that reads Seam's topics as another team, with the
// stock clients of a language. Tests run each of them against a real broker and registry.
package snippets

import (
	"embed"
	"fmt"
	"io"
	"strings"
	"text/template"
)

//go:embed *.tmpl
var files embed.FS

// Languages are those there is a program for.
var Languages = []string{"go", "java", "python"}

// Subscription is what a program reads.
type Subscription struct {
	Brokers  []string // host:port
	Registry string   // URL with the Confluent API
	Topics   []string // prefix included
	Group    string

	Kafka  SignIn // how the brokers are signed in to
	Schema SignIn // how the registry is
}

// SignIn is how a program shows who it is. What it shows comes from the environment it runs in.
type SignIn struct {
	// Mechanism is SASL's name, basic for HTTP's, mTLS for a certificate alone. What is none of a user and password is left to the
	// program's reader. Empty for none.
	Mechanism string
	TLS       bool
	CA        bool // another authority than the system's
}

// User tells whether a user and password sign in.
func (s SignIn) User() bool {
	return s.Mechanism == "basic" || s.Mechanism == "PLAIN" || strings.HasPrefix(s.Mechanism, "SCRAM-")
}

// Else is a mechanism that the program leaves to its reader.
func (s SignIn) Else() string {
	if s.User() {
		return ""
	}
	return s.Mechanism
}

// Protocol is Kafka's name of how the brokers are spoken to: security.protocol.
func (s SignIn) Protocol() string {
	sasl := s.Mechanism != "" && s.Mechanism != "mTLS"
	switch {
	case s.TLS && sasl:
		return "SASL_SSL"
	case s.TLS:
		return "SSL"
	case sasl:
		return "SASL_PLAINTEXT"
	}
	return "PLAINTEXT"
}

// Variables are those of the environment that the program reads.
func (s Subscription) Variables() []string {
	var out []string
	for _, of := range []struct {
		prefix string
		by     SignIn
	}{{"KAFKA", s.Kafka}, {"REGISTRY", s.Schema}} {
		if of.by.User() {
			out = append(out, of.prefix+"_USER", of.prefix+"_PASSWORD")
		}
		if of.by.CA {
			out = append(out, of.prefix+"_CA")
		}
	}
	return out
}

// Write writes the program of a language.
func Write(w io.Writer, language string, s Subscription) error {
	t, err := template.New(language+".tmpl").ParseFS(files, language+".tmpl")
	if err != nil {
		return fmt.Errorf("there is no program in %s: %v", language, Languages)
	}
	return t.Execute(w, s)
}
