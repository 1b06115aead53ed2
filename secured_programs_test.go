package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// readers are the teams that read the secured cluster, all as the user reader, each by the program of a language.
var readers = map[string]struct {
	language, file string
	run            func(file string) []string
}{
	"data": {"go", "reader.go", func(file string) []string {
		return []string{"sh", "-c", `go build -o "$0.run" "$0" && exec "$0.run"`, file}
	}},
	"support": {"java", "Reader.java", func(file string) []string {
		return []string{"java", "-cp", filepath.Join(os.Getenv("SEAM_KAFKA_LIBS"), "*"), file}
	}},
	"finance": {"python", "reader.py", func(file string) []string { return []string{os.Getenv("SEAM_PYTHON"), file} }},
}

// subscribers are the files of the readers' teams.
func subscribers(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "subscribers"), 0o700); err != nil {
		return err
	}
	for team := range readers {
		text := fmt.Sprintf("team: %s\nreads: [orders]\ngroup: %s\nprincipal: User:reader\nlag_objective: 15m\n", team, team)
		if err := os.WriteFile(filepath.Join(dir, "subscribers", team+".yaml"), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// read has each printed program read an order, with what the team has for signing in in its environment.
func (s *secured) read(order string) {
	s.Helper()
	for team, reader := range readers {
		ctx, cancel := context.WithTimeout(s.Context(), 2*time.Minute)
		defer cancel()
		printed := exec.CommandContext(ctx, os.Args[0], "subscribe", team, "--language", reader.language)
		printed.Env = append(os.Environ(), s.environ("admin")...)
		program, err := printed.Output()
		if err != nil {
			s.Fatalf("%v: %s", err, program)
		}
		s.quiet(team, program)
		file := filepath.Join(s.TempDir(), reader.file)
		if err := os.WriteFile(file, program, 0o600); err != nil {
			s.Fatal(err)
		}
		args := reader.run(file)
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Env = append(os.Environ(), "KAFKA_USER=reader", "KAFKA_PASSWORD="+s.reader, "KAFKA_CA="+s.common["SEAM_KAFKA_CA"],
			"REGISTRY_USER=seam", "REGISTRY_PASSWORD="+registrySecret, "REGISTRY_CA="+s.common["SEAM_REGISTRY_CA"])
		if err := topologytest.Run(cmd, func(line string) bool {
			return strings.HasPrefix(line, "orders "+order+" ") && strings.Contains(line, "order.created")
		}); err != nil {
			s.Errorf("the program in %s does not read order %s: %v", reader.language, order, err)
		}
	}
}
