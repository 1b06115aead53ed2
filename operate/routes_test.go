package operate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/topology"
)

// TestRoutes asks amtool to whom an alert goes.
func TestRoutes(t *testing.T) {
	t.Parallel()
	amtool := tool(t, "amtool")
	file := filepath.Join(written(t, Config{Topology: shipped(t), Heartbeat: "https://heartbeat.invalid/seam"}), "alertmanager.yaml")
	if out, err := exec.CommandContext(t.Context(), amtool, "check-config", file).CombinedOutput(); err != nil {
		t.Fatalf("amtool check-config: %v\n%s", err, out)
	}
	for _, tt := range []struct{ labels, want string }{
		{"team=fulfilment severity=page alertname=SeamIntegrationStale integration=warehouse", "fulfilment/pager,fulfilment/chat"},
		{"team=fulfilment severity=ticket alertname=SeamQuarantined", "fulfilment/chat"},
		{"team=finance severity=page alertname=SeamDownstreamDown", "finance/pager,commerce/pager,finance/chat"}, // by the hour: see TestHours
		{"team=commerce severity=page alertname=SeamNotRunning", "commerce/pager,commerce/chat"},
		{"alertname=SeamWatchdog severity=none", "heartbeat"},
		{"alertname=SeamRecovering severity=none integration=erp", "nobody"},
		{"severity=page alertname=Other", "commerce/pager"},
	} {
		args := append([]string{"config", "routes", "test", "--config.file=" + file}, strings.Fields(tt.labels)...)
		out, err := exec.CommandContext(t.Context(), amtool, args...).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != tt.want {
			t.Errorf("%s goes to %s, want %s (%v)", tt.labels, got, tt.want, err)
		}
	}
}

// TestTurns: a team is paged in its hours, the next one outside of them, and the last at any time.
func TestTurns(t *testing.T) {
	t.Parallel()
	topo := shipped(t)
	topo.Teams["day"] = topology.Team{Name: "day", Pager: "pager:day", Hours: "mon-fri 08:00-18:00 Europe/Vienna", AfterHours: "evening"}
	topo.Teams["evening"] = topology.Team{Name: "evening", Pager: "pager:evening", Hours: "day 18:00-02:00", AfterHours: "late"}
	topo.Teams["late"] = topology.Team{Name: "late", Pager: "pager:late", Hours: "day 22:00-06:00"}
	c := Config{Topology: topo}
	var got []string
	for _, r := range c.team("day").Routes {
		got = append(got, fmt.Sprintf("%s%v%v%t", r.Receiver, r.Active, r.Mute, r.Continue))
	}
	if d := cmp.Diff([]string{"day/pager[day][]true", "evening/pager[evening][day]true", "late/pager[][day evening]true", "day/chat[][]false"}, got); d != "" {
		t.Errorf("routes (-want +got):\n%s", d)
	}
	windows, _, ok := topo.Teams["evening"].Answers()
	want := []amTime{{[]amSpan{{"18:00", "24:00"}}, []string{"sunday"}, "UTC"}, {[]amSpan{{"00:00", "02:00"}}, []string{"monday"}, "UTC"}}
	if got := intervals(windows[:1]); !ok || cmp.Diff(want, got) != "" {
		t.Errorf("past midnight: %s", cmp.Diff(want, got))
	}
	windows, _, _ = topo.Teams["day"].Answers()
	want = []amTime{{[]amSpan{{"08:00", "18:00"}}, []string{"monday", "tuesday", "wednesday", "thursday", "friday"}, "Europe/Vienna"}}
	if got := intervals(windows); cmp.Diff(want, got) != "" {
		t.Errorf("by day: %s", cmp.Diff(want, got))
	}
}

// TestUnreachable: a pager that Alertmanager cannot reach is a fault with file and line, and no secret is written.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, value, want string }{
		{"pager", "phone:+43123", "teams.yaml:2: the pager of commerce cannot be reached"},
		{"pager", "pager:../key", "teams.yaml:2: the pager of commerce is called"},
		{"pager", "https://user:secret@pages.invalid/", "it holds a password"},
		{"chat", "irc", "teams.yaml:2: the chat of commerce cannot be reached"},
		{"hours", "sometimes", "teams.yaml:2: the hours of commerce are \"sometimes\""},
		{"team", "", "topics.yaml:4: team is missing"},
		{"heartbeat", "nowhere", "heartbeat: write an https URL"},
	} {
		topo := shipped(t)
		c := Config{Topology: topo}
		team := topo.Teams["commerce"]
		switch tt.key {
		case "pager":
			team.Pager = tt.value
		case "chat":
			team.Chat = tt.value
		case "hours":
			team.Hours = tt.value
		case "team":
			topo.Team = ""
		case "heartbeat":
			c.Heartbeat = tt.value
		}
		topo.Teams["commerce"] = team
		if _, err := Alerts(c); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s %q: %v, want %q", tt.key, tt.value, err, tt.want)
		}
	}
}

// TestOnePage asks Alertmanager what it holds back of what fires together.
func TestOnePage(t *testing.T) {
	t.Parallel()
	alertmanager := tool(t, "prometheus-alertmanager")
	dir := written(t, Config{Topology: shipped(t)})
	url := "http://" + served(t, alertmanager, "--config.file="+filepath.Join(dir, "alertmanager.yaml"), "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:0", "--cluster.listen-address=")
	type firing = map[string]string
	for _, tt := range []struct {
		name       string
		cause      firing
		held, sent []firing
	}{
		{"a downstream is down", firing{"alertname": "SeamDownstreamDown", "integration": "warehouse"},
			[]firing{{"alertname": "SeamIntegrationStale", "integration": "warehouse"}, {"alertname": "SeamErrorBudgetBurn", "integration": "warehouse"}, {"alertname": "SeamOperationLate", "integration": "warehouse"}},
			[]firing{{"alertname": "SeamIntegrationStale", "integration": "erp"}, {"alertname": "SeamRecordsLost", "integration": "warehouse"}}},
		{"a planned window", firing{"alertname": "SeamRecovering", "integration": "tax"},
			[]firing{{"alertname": "SeamIntegrationStale", "integration": "tax"}}, []firing{{"alertname": "SeamCredentialsRefused", "integration": "tax"}}},
		{"Kafka is down", firing{"alertname": "SeamKafkaDown"},
			[]firing{{"alertname": "SeamIntegrationStale", "integration": "crm"}, {"alertname": "SeamNotRunning", "integration": "crm"}, {"alertname": "SeamIngestUnavailable", "source": "shopify"}}, []firing{{"alertname": "SeamRetentionMargin", "integration": "crm"}}},
		{"all of Seam is down", firing{"alertname": "SeamDown"}, []firing{{"alertname": "SeamBlind"}, {"alertname": "SeamProcessDown"}}, []firing{{"alertname": "OfOthers"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			environment := strings.ReplaceAll(tt.name, " ", "-") // alerts of another environment hold nothing back
			var post []any
			for _, labels := range slices.Concat([]firing{tt.cause}, tt.held, tt.sent) {
				labels["environment"], labels["severity"] = environment, "page"
				post = append(post, map[string]any{"labels": labels, "endsAt": time.Now().Add(time.Hour)})
			}
			body, err := json.Marshal(post)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.Post(url+"/api/v2/alerts", "application/json", bytes.NewReader(body))
			if err != nil || res.Body.Close() != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("post: %v %v", res, err)
			}
			for _, labels := range tt.held {
				if !held(t, url, labels) {
					t.Errorf("%v is not held back", labels)
				}
			}
			for _, labels := range append(tt.sent, tt.cause) {
				if held(t, url, labels) {
					t.Errorf("%v is held back", labels)
				}
			}
		})
	}
}

// held asks whether Alertmanager inhibits an alert.
func held(t *testing.T, url string, labels map[string]string) bool {
	t.Helper()
	query := []string{}
	for k, v := range labels {
		query = append(query, "filter="+k+"%3D%22"+v+"%22")
	}
	res, err := http.Get(url + "/api/v2/alerts?" + strings.Join(query, "&"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var alerts []struct {
		Status struct {
			InhibitedBy []string `json:"inhibitedBy"`
		} `json:"status"`
	}
	if err := json.NewDecoder(res.Body).Decode(&alerts); err != nil || len(alerts) != 1 {
		t.Fatalf("%v: %d alerts (%v)", labels, len(alerts), err)
	}
	return len(alerts[0].Status.InhibitedBy) > 0
}

// served starts Alertmanager for the test and gives its address.
func served(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	at := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		listens := regexp.MustCompile(`Listening on.* address=(127\.0\.0\.1:\d+)`)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if m := listens.FindStringSubmatch(lines.Text()); m != nil {
				at <- m[1]
			}
		}
		_ = cmd.Wait() // it is interrupted
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended
		<-ended
	})
	select {
	case found := <-at:
		return found
	case <-ended:
	case <-time.After(time.Minute):
	}
	t.Fatalf("%s is not up", name)
	return ""
}
