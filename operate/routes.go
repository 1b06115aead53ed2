package operate

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/topology"
)

// amFile is Alertmanager's configuration, as far as it is used.
type amFile struct {
	Route         *amRoute     `yaml:"route"`
	Inhibit       []amInhibit  `yaml:"inhibit_rules"`
	Receivers     []amReceiver `yaml:"receivers"`
	TimeIntervals []amInterval `yaml:"time_intervals,omitempty"`
}

type amRoute struct {
	Receiver       string     `yaml:"receiver,omitempty"`
	Matchers       []string   `yaml:"matchers,omitempty"`
	GroupBy        []string   `yaml:"group_by,omitempty,flow"`
	GroupWait      string     `yaml:"group_wait,omitempty"`
	GroupInterval  string     `yaml:"group_interval,omitempty"`
	RepeatInterval string     `yaml:"repeat_interval,omitempty"`
	Active         []string   `yaml:"active_time_intervals,omitempty,flow"`
	Mute           []string   `yaml:"mute_time_intervals,omitempty,flow"`
	Continue       bool       `yaml:"continue,omitempty"`
	Routes         []*amRoute `yaml:"routes,omitempty"`
}

type amInhibit struct {
	Source []string `yaml:"source_matchers"`
	Target []string `yaml:"target_matchers"`
	Equal  []string `yaml:"equal,flow"`
}

type amReceiver struct {
	Name      string           `yaml:"name"`
	PagerDuty []map[string]any `yaml:"pagerduty_configs,omitempty"`
	Slack     []map[string]any `yaml:"slack_configs,omitempty"`
	Webhook   []map[string]any `yaml:"webhook_configs,omitempty"`
}

type amInterval struct {
	Name      string   `yaml:"name"`
	Intervals []amTime `yaml:"time_intervals"`
}

type amTime struct {
	Times    []amSpan `yaml:"times"`
	Weekdays []string `yaml:"weekdays,flow"`
	Location string   `yaml:"location"`
}

type amSpan struct {
	Start string `yaml:"start_time"`
	End   string `yaml:"end_time"`
}

// The receivers that are no team's.
const (
	nobody    = "nobody"    // of what only silences other alerts
	heartbeat = "heartbeat" // of the dead man's switch
)

// alertmanager is the routes: to the team's pager and chat, outside of its hours to the pager of the team that answers then.
// Whatever names no team of the topology is the team's that Seam is.
func (c *Config) alertmanager() *amFile {
	t := c.Topology
	root := &amRoute{Receiver: t.Team + "/pager", GroupBy: []string{"alertname", "environment", "team", "integration", "source", "system", "operation"},
		GroupWait: c.d(30 * time.Second), GroupInterval: c.d(5 * time.Minute), RepeatInterval: c.d(4 * time.Hour)}
	out := &amFile{Route: root, Inhibit: c.inhibitions()}
	beat := &amRoute{Receiver: heartbeat, Matchers: []string{match("alertname", "=", "SeamWatchdog")}, GroupWait: c.d(time.Second), GroupInterval: c.d(time.Minute), RepeatInterval: c.d(time.Minute)}
	if c.Heartbeat == "" {
		beat.Receiver = nobody
	} else {
		out.Receivers = append(out.Receivers, amReceiver{Name: heartbeat, Webhook: []map[string]any{webhook(c.Heartbeat)}})
	}
	root.Routes = append(root.Routes, beat, &amRoute{Receiver: nobody, Matchers: []string{match("severity", "=", string(none))}})
	for _, name := range sortedKeys(t.Teams) {
		out.Receivers = append(out.Receivers, c.pager(t.Teams[name]), c.chat(t.Teams[name]))
		if windows, always, ok := t.Teams[name].Answers(); ok && !always {
			out.TimeIntervals = append(out.TimeIntervals, amInterval{name, intervals(windows)})
		}
		root.Routes = append(root.Routes, c.team(name))
	}
	out.Receivers = append(out.Receivers, amReceiver{Name: nobody})
	return out
}

// team is the route of a team's alerts. The pager goes on to the next team where this one does not answer; the last is paged at
// any hour, as a page at a bad time is better than none. Roles that nobody runs are one page, however many they are.
func (c *Config) team(name string) *amRoute {
	out := &amRoute{Receiver: name + "/chat", Matchers: []string{match("team", "=", name)}}
	turn := c.Topology.PagedInTurn(name)
	var before []string
	for i, t := range turn {
		r := amRoute{Receiver: t.Name + "/pager", Matchers: []string{match("severity", "=", string(page))}, Mute: slices.Clone(before), Continue: true}
		_, always, _ := t.Answers()
		last := always || i == len(turn)-1
		if !last {
			r.Active = []string{t.Name}
			before = append(before, t.Name)
		}
		if name == c.Topology.Team {
			roles := r
			r.Matchers = append(slices.Clone(r.Matchers), match("alertname", "!=", "SeamNotRunning"))
			roles.Matchers = append(slices.Clone(roles.Matchers), match("alertname", "=", "SeamNotRunning"))
			roles.GroupBy = []string{"alertname", "environment"}
			out.Routes = append(out.Routes, &roles)
		}
		out.Routes = append(out.Routes, &r)
		if last {
			break
		}
	}
	out.Routes = append(out.Routes, &amRoute{Receiver: name + "/chat"}) // pages too: who talks about it sees it
	return out
}

// intervals is windows as Alertmanager has them: one that goes past midnight is two.
func intervals(windows []topology.Window) []amTime {
	var out []amTime
	add := func(w topology.Window, from, to string, later int) {
		days := []string{longDays[(slices.Index(shortDays, w.Every)+later)%7]}
		if w.Every == "day" {
			days = []string{"sunday:saturday"}
		}
		at := amTime{Times: []amSpan{{from, to}}, Weekdays: days, Location: w.Zone}
		if n := len(out); n > 0 && slices.Equal(out[n-1].Times, at.Times) && out[n-1].Location == at.Location {
			out[n-1].Weekdays = append(out[n-1].Weekdays, days...)
			return
		}
		out = append(out, at)
	}
	for _, w := range windows {
		if w.From < w.To {
			add(w, w.From, w.To, 0)
			continue
		}
		add(w, w.From, "24:00", 0)
		if w.To != "00:00" {
			add(w, "00:00", w.To, 1)
		}
	}
	return out
}

var (
	shortDays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	longDays  = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
)

// reachable refuses a pager and a chat that Alertmanager has no receiver for, and hours that cannot be read.
func (c *Config) reachable(t topology.Team) error {
	wrong := func(key, format string, args ...any) error {
		line, _, _ := c.Topology.Written("teams.yaml", t.Name+"."+key)
		return &topology.Fault{File: "teams.yaml", Line: line, Text: fmt.Sprintf(format, args...)}
	}
	if name, ok := pagerDuty(t.Pager); !ok {
		if _, err := address(t.Pager); err != nil {
			return wrong("pager", "the pager of %s cannot be reached by Alertmanager: %v; or pager:NAME, of which the file NAME holds PagerDuty's key", t.Name, err)
		}
	} else if !plainName(name) {
		return wrong("pager", "the pager of %s is called %q: use letters, digits, . and -", t.Name, name)
	}
	if !strings.HasPrefix(t.Chat, "#") && t.Chat != "" {
		if _, err := address(t.Chat); err != nil {
			return wrong("chat", "the chat of %s cannot be reached by Alertmanager: %v; or #CHANNEL for Slack", t.Name, err)
		}
	}
	if _, _, ok := t.Answers(); !ok {
		return wrong("hours", "the hours of %s are %q: write \"24x7\", or \"mon-fri 08:00-18:00 Europe/Vienna\"", t.Name, t.Hours)
	}
	return nil
}

// pagerDuty is the name after pager: or pagerduty:.
func pagerDuty(text string) (string, bool) {
	scheme, name, ok := strings.Cut(text, ":")
	return name, ok && (scheme == "pager" || scheme == "pagerduty")
}

func plainName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == strings.Repeat(".", strings.Count(s, ".")) && s[0] != '.'
}

func (c *Config) pager(t topology.Team) amReceiver {
	out := amReceiver{Name: t.Name + "/pager"}
	if name, ok := pagerDuty(t.Pager); ok {
		out.PagerDuty = []map[string]any{{"routing_key_file": path.Join(c.Secrets, name), "description": summaryOf, "severity": "critical",
			"details": map[string]string{"runbook": firstOf("runbook_url"), "command": firstOf("command")}}}
		return out
	}
	out.Webhook = []map[string]any{webhook(t.Pager)}
	return out
}

// What people read first: Alertmanager fills in the annotations of the group's first alert.
const summaryOf = `{{ (index .Alerts 0).Annotations.summary }}`

func firstOf(annotation string) string {
	return fmt.Sprintf(`{{ (index .Alerts 0).Annotations.%s }}`, annotation)
}

func (c *Config) chat(t topology.Team) amReceiver {
	out := amReceiver{Name: t.Name + "/chat"}
	switch {
	case t.Chat == "":
	case strings.HasPrefix(t.Chat, "#"):
		out.Slack = []map[string]any{{"api_url_file": path.Join(c.Secrets, "slack"), "channel": t.Chat, "send_resolved": true,
			"title": `{{ .Status | toUpper }} {{ .CommonLabels.alertname }}`,
			"text":  `{{ range .Alerts }}{{ .Annotations.summary }} {{ .Annotations.runbook_url }}{{ "\n" }}{{ end }}`}}
	default:
		out.Webhook = []map[string]any{webhook(t.Chat)}
	}
	return out
}

// webhook is where Alertmanager posts its own JSON: a URL, or a file that holds it. address has accepted it.
func webhook(at string) map[string]any {
	out := map[string]any{"send_resolved": true}
	if u, err := address(at); err == nil && u.Scheme == "file" {
		out["url_file"] = u.Path
	} else {
		out["url"] = at
	}
	return out
}

func match(label, op, value string) string { return fmt.Sprintf("%s%s%q", label, op, value) }

// cause is an alert beside which others are only its consequences: who has been told it needs not be told them.
type cause struct {
	of      map[string]string // labels of the cause, alertname among them; a value with | is several
	silence []string          // alerts; empty: every page and ticket
	equal   []string          // labels in which both must be the same, beside the environment
}

// behind are the alerts of an integration that say that its orders wait.
var behind = []string{"SeamIntegrationStale", "SeamErrorBudgetBurn", "SeamErrorBudgetBurnSlow", "SeamOperationLate"}

var causes = []cause{
	{of: map[string]string{"alertname": "SeamDown"}},
	{of: map[string]string{"alertname": "SeamKafkaDown"}, silence: append([]string{"SeamNotRunning", "SeamDownstreamDown", "SeamMonitorStuck", "SeamViewBehind", "SeamIngestUnavailable", "SeamSpooled",
		"SeamSourceSilent", "SeamSourceUnread", "SeamWorkerRestarting", "SeamDisagreementOverdue", "SeamSubscriberBehind"}, behind...)},
	{of: map[string]string{"alertname": "SeamNotRunning", "role": "reconcile"}, silence: []string{"SeamMonitorStuck", "SeamViewBehind", "SeamBlind", "SeamOperationLate", "SeamDisagreementOverdue"}},
	{of: map[string]string{"alertname": "SeamViewBehind"}, silence: []string{"SeamOperationLate", "SeamDisagreementOverdue"}},
	{of: map[string]string{"alertname": "SeamNotRunning|SeamDownstreamDown|SeamCredentialsRefused|SeamNotLetOut|SeamRecovering", "integration": ".+"}, silence: behind, equal: []string{"integration"}},
	{of: map[string]string{"alertname": "SeamIntegrationStale"}, silence: behind[1:], equal: []string{"integration"}},
	{of: map[string]string{"alertname": "SeamErrorBudgetBurn"}, silence: []string{"SeamErrorBudgetBurnSlow", "SeamOperationLate"}, equal: []string{"integration"}},
}

func (c *Config) inhibitions() []amInhibit {
	var out []amInhibit
	for _, cs := range causes {
		rule := amInhibit{Equal: append([]string{"environment"}, cs.equal...)}
		for _, label := range sortedKeys(cs.of) {
			rule.Source = append(rule.Source, match(label, "=~", cs.of[label]))
		}
		if names := slices.Clone(cs.silence); len(names) > 0 {
			rule.Target = []string{match("alertname", "=~", strings.Join(names, "|"))}
		} else {
			rule.Target = []string{match("alertname", "=~", "Seam.*"), match("alertname", "!=", cs.of["alertname"]), match("severity", "=~", string(page)+"|"+string(ticket))}
		}
		out = append(out, rule)
	}
	return out
}
