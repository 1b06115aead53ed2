package operate

import (
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// severity is how an alert reaches its team.
type severity string

// The severities.
const (
	page   severity = "page"   // wakes the team: harm is done, or about to be
	ticket severity = "ticket" // is looked at in the team's hours: goes to its chat
	none   severity = "none"   // is for machines: the dead man's switch, and what silences other alerts
)

// alert is one alerting rule of one integration, source, operation or team, with what proves it.
type alert struct {
	name     string
	severity severity
	team     string
	about    map[string]string // its own labels: integration, source, operation, role
	expr     string
	after    time.Duration // how long expr must hold, scaled by the config
	summary  string        // what is wrong, for whom; {{ $value | ... }} and {{ $labels.x }} as Prometheus fills them in
	command  string        // what to run next; empty for none
	trials   []trial
}

// rulesFile is a Prometheus rule file.
type rulesFile struct {
	Groups []group `yaml:"groups"`
}

// group is evaluated in order, so what records comes before what uses it.
type group struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// labels are those that the rule sets.
func (c *Config) labels(a *alert) map[string]string {
	out := map[string]string{"severity": string(a.severity), "environment": c.Topology.Environment}
	if a.team != "" {
		out["team"] = a.team
	}
	maps.Copy(out, a.about)
	return out
}

// annotations are what people read; fill replaces what Prometheus fills in.
func (c *Config) annotations(a *alert, fill func(string) string) map[string]string {
	out := map[string]string{"summary": fill(a.summary)}
	if a.severity != none {
		out["runbook_url"] = c.runbook(a.name)
	}
	if a.command != "" {
		out["command"] = fill(a.command)
	}
	return out
}

func (c *Config) rule(a *alert) rule {
	r := rule{Alert: a.name, Expr: a.expr, Labels: c.labels(a), Annotations: c.annotations(a, func(s string) string { return s })}
	if a.after > 0 {
		r.For = c.d(a.after)
	}
	return r
}

// theme is a rule file: alerts that belong together, with what they record for themselves. A file stands alone, so that a test
// evaluates it alone.
type theme struct {
	name   string
	alerts []string
}

// themes is every alert by its file.
var themes = []theme{
	{"process", []string{"SeamWatchdog", "SeamDown", "SeamProcessDown", "SeamNotRunning", "SeamMonitorStuck", "SeamBlind", "SeamViewBehind", "SeamWorkerRestarting", "SeamNotReloaded"}},
	{"kafka", []string{"SeamKafkaDown", "SeamRetentionMargin", "SeamRecordsLost", "SeamSubscriberBehind"}},
	{"sources", []string{"SeamIngestUnavailable", "SeamSignaturesRefused", "SeamSourceUnread", "SeamSpooled", "SeamQuarantined"}},
	{"silence", []string{"SeamSourceSilent"}},
	{"downstreams", []string{"SeamDownstreamDown", "SeamCredentialsRefused", "SeamNotLetOut", "SeamIntegrationStale", "SeamRecovering"}},
	{"budget", []string{"SeamErrorBudgetBurn", "SeamErrorBudgetBurnSlow"}},
	{"parked", []string{"SeamParkedTooLong", "SeamParkingSurge"}},
	{"contracts", []string{"SeamContractDrift"}},
	{"orders", []string{"SeamOperationLate", "SeamDisagreementOverdue"}},
}

// all is every alert of the topology.
func (c *Config) all() []alert {
	out := slices.Concat(c.process(), c.kafka(), c.silence(), c.operations(), c.disagreements(), c.subscribers())
	for i := range c.Topology.Sources {
		out = append(out, c.source(&c.Topology.Sources[i])...)
	}
	for i := range c.Topology.Integrations {
		out = append(out, c.integration(&c.Topology.Integrations[i])...)
	}
	return out
}

// of is the alerts of a theme, by name in its order.
func (t *theme) of(all []alert) [][]alert {
	out := make([][]alert, len(t.alerts))
	for _, a := range all {
		if i := slices.Index(t.alerts, a.name); i >= 0 {
			out[i] = append(out[i], a)
		}
	}
	return out
}

// rules is the rule file of a theme: a group for each alert, after what is recorded for them.
func (c *Config) rules(t *theme, all []alert) rulesFile {
	var out rulesFile
	recorded := map[string][]rule{"silence": c.recordedSilence(), "budget": c.recordedBudget()}
	for i, alerts := range t.of(all) {
		g := group{Name: t.alerts[i]}
		if i == 0 {
			g.Rules = recorded[t.name]
		}
		for j := range alerts {
			g.Rules = append(g.Rules, c.rule(&alerts[j]))
		}
		if len(g.Rules) > 0 {
			out.Groups = append(out.Groups, g)
		}
	}
	return out
}

const generated = "# Made by seam alerts from the topology. Change that, and make it anew.\n"

// text is a YAML document under a note of where it comes from.
func text(v any) ([]byte, error) {
	var b strings.Builder
	b.WriteString(generated)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(b.String()), enc.Close()
}

// Alerts is rules/*.yaml for Prometheus, tests/*.yaml for promtool test rules, and alertmanager.yaml. The error names what the
// topology lacks for it.
func Alerts(c Config) ([]File, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	files := map[string]any{"alertmanager.yaml": c.alertmanager()}
	all := c.all()
	for i := range themes {
		rules := c.rules(&themes[i], all)
		if len(rules.Groups) == 0 {
			continue
		}
		files["rules/"+themes[i].name+".yaml"] = rules
		for name, tests := range c.tests(&themes[i], all) {
			files["tests/"+name] = tests
		}
	}
	var out []File
	for _, name := range sortedKeys(files) {
		b, err := text(files[name])
		if err != nil {
			return nil, err
		}
		out = append(out, File{name, b})
	}
	return out, nil
}
