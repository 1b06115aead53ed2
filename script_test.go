package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCommands are what scripts may call beside testscript's own.
var scriptCommands = map[string]func(*testscript.TestScript, bool, []string){"sink": sink, "serve": serve, "eventually": eventually}

// scriptPatience bounds every wait of a script.
const scriptPatience = 90 * time.Second

// sink starts a downstream that takes every request: $SINK is its address. What is posted with an order_id is given back by a
// GET of a path that ends with it, and written to the file that it is given, a line each: method, path, key, body.
func sink(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: sink FILE")
	}
	file := ts.MkAbs(args[0])
	var mu sync.Mutex
	records := map[string]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodGet {
			body, ok := records[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]
			if !ok {
				w.WriteHeader(http.StatusNotFound)
			}
			fmt.Fprint(w, body)
			return
		}
		body, err := io.ReadAll(r.Body)
		var told struct {
			OrderID string `json:"order_id"`
		}
		if err == nil && json.Unmarshal(body, &told) == nil {
			records[told.OrderID] = string(body)
		}
		f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer f.Close()
		fmt.Fprintf(f, "%s %s %s %s\n", r.Method, r.URL.Path, r.Header.Get("Idempotency-Key"), body)
		fmt.Fprint(w, `{"id": "made-1"}`)
	}))
	ts.Defer(server.Close)
	ts.Setenv("SINK", server.URL)
}

// serve starts seam run with the variables that a file lists (NAME=... a line), and waits until it is ready. $EDGE,
// $SEAM_BROKERS and $SEAM_REGISTRY are its addresses then; it ends with the script.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 1 {
		ts.Fatalf("usage: serve FILE [ARGS...]")
	}
	cmd := exec.Command(os.Args[0], append([]string{"run"}, args[1:]...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{beSeam + "=1", "PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "TMPDIR=" + ts.Getenv("TMPDIR")}
	for _, line := range append(strings.Split(ts.ReadFile(args[0]), "\n"), "SEAM_TOPOLOGY=") {
		if name, _, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
		}
	}
	log := &buffer{}
	cmd.Stderr = log
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ready, ended := make(chan bool, 1), make(chan error, 1)
	go func() {
		names := map[string]string{"webhooks": "EDGE", "kafka": "SEAM_BROKERS", "registry": "SEAM_REGISTRY"}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if f := strings.Fields(lines.Text()); len(f) == 2 && names[f[0]] != "" {
				ts.Setenv(names[f[0]], strings.TrimSuffix(f[1], "/in/{source}"))
				if delete(names, f[0]); len(names) == 0 {
					ready <- true
				}
			}
		}
		ended <- cmd.Wait()
	}()
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		select {
		case err := <-ended:
			if err != nil {
				ts.Logf("seam run ended badly after an interrupt: %v", err)
			}
		case <-time.After(scriptPatience):
			_ = cmd.Process.Kill()
		}
	})
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		ts.Fatalf("seam run ended: %v\n%s", err, log)
	case <-time.After(scriptPatience):
		ts.Fatalf("seam run is not ready:\n%s", log)
	}
}

// eventually runs a command again until its stdout matches a pattern; whether it fails does not count.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: eventually PATTERN COMMAND [ARGS...]")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	limit, tick := time.After(scriptPatience), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for {
		err := ts.Exec(args[1], args[2:]...)
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			ts.Fatalf("%s: stdout does not match %q within %s (%v):\n%s%s", strings.Join(args[1:], " "), args[0], scriptPatience, err, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
	}
}
