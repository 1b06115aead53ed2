package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/operate"
	"github.com/binaryandbeyond/seam/topology"
)

// pageScale is how much faster than the shipped rules those of TestPage are; all else of them is as shipped.
const pageScale = 1.0 / 20

// TestPage: a key is disabled at the warehouse, and Prometheus and Alertmanager page fulfilment, once, with the way to its
// runbook; the page is over once the key works again. Nobody else is paged.
func TestPage(t *testing.T) {
	t.Parallel()
	prometheus, alertmanager := interop(t, "prometheus"), interop(t, "prometheus-alertmanager")
	pager := newPager(t)
	w := newWholeAt(t, pageScale, func(topo *topology.Topology) {
		for name, team := range topo.Teams {
			team.Pager, team.Chat = pager.url+"/pager/"+name, pager.url+"/chat/"+name
			topo.Teams[name] = team
		}
	})
	files, err := operate.Alerts(operate.Config{Topology: w.topo, Scale: pageScale, Runbooks: "https://git.example/docs/runbooks", Heartbeat: pager.url + "/heartbeat"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range files {
		put(t, filepath.Join(dir, f.Name), string(f.Text))
	}
	listens := regexp.MustCompile(`Listening on.* address=(127\.0\.0\.1:\d+)`)
	at := watched(t, listens, alertmanager, "--config.file="+filepath.Join(dir, "alertmanager.yaml"), "--storage.path="+filepath.Join(dir, "am"), "--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
	put(t, filepath.Join(dir, "prometheus.yaml"), fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ["rules/*.yaml"]
alerting: {alertmanagers: [{static_configs: [{targets: [%q]}]}]}
scrape_configs: [{job_name: seam, static_configs: [{targets: [%q]}]}]
`, at, strings.TrimPrefix(w.console, "http://")))
	watched(t, regexp.MustCompile(`Server is ready to receive web requests`), prometheus, "--config.file="+filepath.Join(dir, "prometheus.yaml"), "--storage.tsdb.path="+filepath.Join(dir, "tsdb"), "--rules.alert.resend-delay=1s", "--web.listen-address=127.0.0.1:0")

	pager.wait("the dead man's switch reports", func(n notice) bool { return n.path == "/heartbeat" && n.Status == "firing" })
	warehouse := w.world.System("warehouse")
	warehouse.Fault(sim.KeyDisabled())
	w.world.Shop().Place(sim.Choices{})
	got := pager.wait("fulfilment is paged", func(n notice) bool { return n.path == "/pager/fulfilment" && n.Status == "firing" })
	if len(got.Alerts) != 1 {
		t.Fatalf("the page has %d alerts", len(got.Alerts))
	}
	a := got.Alerts[0]
	if a.Labels["alertname"] != "SeamCredentialsRefused" || a.Labels["integration"] != "warehouse" || a.Labels["team"] != "fulfilment" ||
		a.Annotations["runbook_url"] != "https://git.example/docs/runbooks/SeamCredentialsRefused.md" || a.Annotations["command"] == "" || !strings.Contains(a.Annotations["summary"], "warehouse refuses") {
		t.Errorf("the page is %+v", a)
	}
	warehouse.Fault(sim.Off())
	pager.wait("the page is over", func(n notice) bool { return n.path == "/pager/fulfilment" && n.Status == "resolved" })
	for _, n := range pager.all() {
		// A machine that is too busy to answer a scrape within its second is down, as far as Prometheus can tell.
		slow := len(n.Alerts) == 1 && n.Alerts[0].Labels["alertname"] == "SeamDown"
		if strings.HasPrefix(n.path, "/pager/") && n.path != "/pager/fulfilment" && !slow {
			t.Errorf("somebody else is paged: %+v", n)
		}
	}
	exported(t, w, files)
	if n := len(slices.DeleteFunc(pager.all(), func(n notice) bool { return n.path != "/pager/fulfilment" })); n != 2 {
		t.Errorf("fulfilment was told %d times, want a page and its end", n)
	}
}

// sometimes is the metrics that are absent while there is nothing to tell; docs/metrics.md says so.
var sometimes = []string{"seam_lost_records", "seam_retention_margin_seconds", "seam_parked_oldest_timestamp_seconds", "seam_ingest_last_look_timestamp_seconds", "seam_contract_drift_total"}

// exported holds the metrics that rules and dashboards ask for to what the run exports.
func exported(t *testing.T, w *whole, files []operate.File) {
	t.Helper()
	boards, err := operate.Dashboards(operate.Config{Topology: w.topo})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(w.console + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, f := range append(boards, files...) {
		if strings.HasPrefix(f.Name, "rules/") || strings.HasSuffix(f.Name, ".json") {
			for _, m := range regexp.MustCompile(`\b(seam|kafka_consumergroup|process)_[a-z_]+`).FindAllString(string(f.Text), -1) {
				asked[m] = true
			}
		}
	}
	if len(asked) < 40 {
		t.Errorf("rules and dashboards ask for %d metrics: they are not read", len(asked))
	}
	for name := range asked {
		if !slices.Contains(sometimes, name) && !regexp.MustCompile("(?m)^"+name+"[ {]").Match(body) {
			t.Errorf("rules or dashboards ask for %s, which the run does not export", name)
		}
	}
}

// interop is a program beside Seam; without it the test is skipped, where SEAM_INTEROP is set it fails.
func interop(t *testing.T, name string) string {
	t.Helper()
	found, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv("SEAM_INTEROP") == "1":
		t.Fatalf("%s is missing: install it first", name)
	default:
		t.Skipf("%s is not installed", name)
	}
	return found
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// watched starts a program that ends with the test, and waits for a line of its log; it gives what the pattern caught.
func watched(t *testing.T, line *regexp.Regexp, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	caught, ended := make(chan string, 1), make(chan struct{})
	var mu sync.Mutex
	var log strings.Builder
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			mu.Lock()
			log.WriteString(lines.Text() + "\n")
			mu.Unlock()
			if m := line.FindStringSubmatch(lines.Text()); m != nil {
				select {
				case caught <- m[len(m)-1]:
				default:
				}
			}
		}
		_ = cmd.Wait() // it is interrupted
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		<-ended
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(name), log.String())
		}
	})
	select {
	case found := <-caught:
		return found
	case <-ended:
	case <-time.After(time.Minute):
	}
	mu.Lock()
	defer mu.Unlock()
	t.Fatalf("%s is not up:\n%s", name, log.String())
	return ""
}

// notice is what Alertmanager posts to a webhook.
type notice struct {
	path   string
	Status string
	Alerts []struct {
		Status              string
		Labels, Annotations map[string]string
	}
}

// pager is every receiver: it keeps what it is sent.
type pager struct {
	*testing.T
	url     string
	mu      sync.Mutex
	notices []notice
	came    chan struct{} // closed at the next notice
}

func newPager(t *testing.T) *pager {
	p := &pager{T: t, came: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		n := notice{path: r.URL.Path}
		body, err := io.ReadAll(r.Body)
		if err != nil || json.Unmarshal(body, &n) != nil {
			t.Errorf("%s was posted %q (%v)", r.URL.Path, body, err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.notices = append(p.notices, n)
		close(p.came)
		p.came = make(chan struct{})
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *pager) all() []notice {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.notices)
}

// wait gives the first notice that is the one.
func (p *pager) wait(what string, is func(notice) bool) notice {
	p.Helper()
	limit := time.After(90 * time.Second)
	for {
		p.mu.Lock()
		came, notices := p.came, slices.Clone(p.notices)
		p.mu.Unlock()
		if i := slices.IndexFunc(notices, is); i >= 0 {
			return notices[i]
		}
		select {
		case <-came:
		case <-limit:
			p.Fatalf("%s: not within 90 s; notices: %+v", what, notices)
		}
	}
}
