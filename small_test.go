package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// small is the shop of testdata/small: its one downstream, and the processes that serve it.
type small struct {
	*testing.T
	kafka *topologytest.Kafka
	tally *tally
	dir   string // its topology, a copy
	env   []string
	// client is the source's.
	client *http.Client

	mu     sync.Mutex
	calls  map[string]int           // by order
	heads  map[string][]http.Header // of the calls, by order
	answer func(order string, call int) (status int, wait <-chan struct{})
}

const smallSecret = "a secret for tests of the process"

func newSmall(t *testing.T) *small {
	s := &small{T: t, kafka: topologytest.Cluster(t), tally: newTally(), dir: t.TempDir(), client: http.DefaultClient, calls: map[string]int{}, heads: map[string][]http.Header{}}
	if err := os.CopyFS(s.dir, os.DirFS("testdata/small")); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.env = []string{beSeam + "=1", "SEAM_PREFIX=" + s.kafka.Prefix, "DOWN_URL=" + server.URL, "DOWN_TOKEN=token", "SEAM_TOPOLOGY=" + s.dir,
		"SEAM_BROKERS=" + strings.Join(s.kafka.Brokers, ","), "SEAM_REGISTRY=" + s.kafka.Registry, "WEB_SECRET=whsec_" + base64.StdEncoding.EncodeToString([]byte(smallSecret))}
	return s
}

// ServeHTTP is the downstream.
func (s *small) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct{ Reference string }
	content, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(content, &body) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.calls[body.Reference]++
	s.heads[body.Reference] = append(s.heads[body.Reference], r.Header)
	n, answer := s.calls[body.Reference], s.answer
	s.mu.Unlock()
	s.tally.add("call", "call/"+body.Reference)
	if answer != nil {
		status, wait := answer(body.Reference, n)
		if wait != nil {
			select {
			case <-wait:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(status)
	}
	fmt.Fprintf(w, `{"id":"ref-%s"}`, body.Reference)
}

// proc is a process of the shop; it is killed when the test ends.
func (s *small) proc(name string, args ...string) *proc {
	s.Helper()
	log, err := os.Create(filepath.Join(s.ArtifactDir(), name+".log"))
	if err != nil {
		s.Fatal(err)
	}
	p := &proc{t: s.T, name: name, args: append([]string{"--apply", "--console", "127.0.0.1:0"}, args...), env: s.env, tally: s.tally, log: log}
	s.Cleanup(func() {
		p.end()
		_ = log.Close()
	})
	return p
}

// edit changes a file of the topology.
func (s *small) edit(file, old, replacement string) {
	s.Helper()
	name := filepath.Join(s.dir, file)
	content, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(content), old) {
		s.Fatalf("%s does not hold %q: %v", file, old, err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(content), old, replacement, 1)), 0o600); err != nil {
		s.Fatal(err)
	}
}

// run runs a verb of the command to its end and gives what it printed.
func (s *small) run(args ...string) string {
	s.Helper()
	cmd := exec.CommandContext(s.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), s.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.Fatalf("seam %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

// order posts order.created of an order to an edge; an error, or what is not 200, says that it was not taken.
func (s *small) order(ctx context.Context, edge, order string, headers ...string) error {
	body := fmt.Sprintf(`{"type":"order.created","timestamp":%q,"data":{"order_id":%q,"version":"1","order":{"status":"open"}}}`, time.Now().UTC().Format(time.RFC3339), order)
	now := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(smallSecret))
	fmt.Fprintf(mac, "%s.%s.%s", order, now, body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+edge+"/in/web", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Webhook-Id", order)
	req.Header.Set("Webhook-Timestamp", now)
	req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || strings.Contains(string(answer), "quarantined") {
		return fmt.Errorf("answered %d: %s, %w", resp.StatusCode, answer, err)
	}
	return nil
}

// outcomes waits until so many outcomes of the integration stand in their topic, and gives them by order.
func (s *small) outcomes(ctx context.Context, n int) map[string][]*schemas.Outcome {
	s.Helper()
	topic := s.kafka.Prefix + topology.TopicReconciliation
	client := s.kafka.Client(s.T, kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	serde, out, seen := schemas.NewSerde(s.kafka.RegistryClient(s.T)), map[string][]*schemas.Outcome{}, 0
	for seen < n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			s.Fatalf("%d outcomes of %d", seen, n)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			o, err := serde.DecodeOutcome(ctx, rec.Value)
			if err != nil {
				s.Error(err)
				return
			}
			seen++
			out[o.OrderID] = append(out[o.OrderID], o)
		})
	}
	return out
}
