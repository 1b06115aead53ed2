// Package snippets holds the programs that seam subscribe prints: the least that reads Seam's topics as another team, with the
// stock clients of a language. Tests run each of them against a real broker and registry.
package snippets

import (
	"embed"
	"fmt"
	"io"
	"text/template"

	"github.com/binaryandbeyond/seam/connect"
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

	// How the brokers and the registry are signed in to. What a program shows comes from the environment it runs in; a mechanism that
	// it does not write itself is left to its reader.
	Kafka, Schema connect.SignIn
}

// Variables are those of the environment that the program reads.
func (s Subscription) Variables() []string {
	var out []string
	for _, of := range []struct {
		prefix string
		by     connect.SignIn
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
