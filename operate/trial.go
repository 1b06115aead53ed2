package operate

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// trial is a course of the world in three parts: well, wrong, and well again. The alert must stay silent in the first, fire at
// the end of the second, and be over at the end of the third. Durations are scaled as the alert's own.
type trial struct {
	series []series
	shown  string            // of $value in the annotations, while it fires
	given  map[string]string // labels that the series give the alert
	step   time.Duration     // between two samples. Default 1m
	well   time.Duration     // default 10m
	wrong  time.Duration     // default 40m
	again  time.Duration     // default 20m
	quiet  bool              // it must not fire in the wrong part either
	stays  bool              // it fires in every part: the dead man's switch
}

// series is a time series of a trial: its value at a time in each part, by the part's own sample count.
type series struct {
	name string
	at   func(m moment) float64
	gone bool // there is none in the wrong part
}

// moment is where in a trial a sample is.
type moment struct {
	wrong bool
	n     int     // samples since the part began
	step  float64 // seconds
	now   float64 // seconds since the trial began
	had   float64 // the last sample
}

// level is a gauge: one value while all is well, another while it is not.
func level(name string, well, wrong float64) series {
	return series{name: name, at: func(m moment) float64 { return pick(m, well, wrong) }}
}

// rise is a counter that grows by so much a step.
func rise(name string, well, wrong float64) series {
	return series{name: name, at: func(m moment) float64 { return m.had + pick(m, well, wrong) }}
}

// stamp is a Unix time that lies back by so much.
func stamp(name string, well, wrong float64) series {
	return series{name: name, at: func(m moment) float64 { return m.now - pick(m, well, wrong) }}
}

// gone is a gauge that is not there while something is wrong.
func gone(name string, value float64) series {
	return series{name: name, at: func(moment) float64 { return value }, gone: true}
}

func pick(m moment, well, wrong float64) float64 {
	if m.wrong {
		return wrong
	}
	return well
}

// testsFile is what promtool test rules reads.
type testsFile struct {
	RuleFiles          []string `yaml:"rule_files"`
	EvaluationInterval string   `yaml:"evaluation_interval"`
	// GroupOrder keeps promtool from evaluating a group before the one that records what it uses.
	GroupOrder []string   `yaml:"group_eval_order"`
	Tests      []testItem `yaml:"tests"`
}

type testItem struct {
	Name     string       `yaml:"name"`
	Interval string       `yaml:"interval"`
	Series   []testSeries `yaml:"input_series"`
	Alerts   []testAlert  `yaml:"alert_rule_test"`
}

type testSeries struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type testAlert struct {
	Time   string     `yaml:"eval_time"`
	Name   string     `yaml:"alertname"`
	Alerts []expAlert `yaml:"exp_alerts"`
}

type expAlert struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

// course is what trials of one alert have in common that can be told together.
type course struct {
	name                     string
	step, well, wrong, again time.Duration
	quiet, stays             bool
	turn                     int // the how-many-eth trial of its alert: two courses of one subject are not told at once
}

// tests is a test of every alert of a theme, by file: those of one alert that take the same time stand together, and a file has what
// is told in steps of one length, as promtool evaluates a file in one interval.
func (c *Config) tests(th *theme, all []alert) map[string]testsFile {
	items := map[course]*testItem{}
	var courses []course
	var order []string
	for n, alerts := range th.of(all) {
		if len(alerts) > 0 {
			order = append(order, th.alerts[n])
		}
		for i := range alerts {
			a := &alerts[i]
			for turn, t := range a.trials {
				at := course{a.name, cmp.Or(t.step, time.Minute), cmp.Or(t.well, 10*time.Minute), cmp.Or(t.wrong, 40*time.Minute), cmp.Or(t.again, 20*time.Minute), t.quiet, t.stays, turn}
				if items[at] == nil {
					items[at] = c.item(at)
					courses = append(courses, at)
				}
				c.tell(items[at], at, a, &t)
			}
		}
	}
	out := map[string]testsFile{}
	for _, at := range courses {
		name := th.name + "_" + duration(at.step) + "_test.yaml"
		f := out[name]
		f.RuleFiles, f.EvaluationInterval = []string{"../rules/" + th.name + ".yaml"}, c.d(at.step)
		f.GroupOrder = order
		f.Tests = append(f.Tests, *items[at])
		out[name] = f
	}
	return out
}

// item is an empty course with the three moments at which is asked.
func (c *Config) item(at course) *testItem {
	verb := "fires and resolves"
	if at.quiet {
		verb = "stays silent"
	}
	out := &testItem{Name: fmt.Sprintf("%s %s (%d)", at.name, verb, at.turn+1), Interval: c.d(at.step)}
	for _, when := range []time.Duration{at.well - at.step, at.well + at.wrong - at.step, at.well + at.wrong + at.again - at.step} {
		out.Alerts = append(out.Alerts, testAlert{Time: c.d(when), Name: at.name, Alerts: []expAlert{}})
	}
	return out
}

// tell adds a trial of one alert.
func (c *Config) tell(item *testItem, at course, a *alert, t *trial) {
	for _, s := range t.series {
		row := testSeries{s.name, c.values(at, s)}
		if !slices.Contains(item.Series, row) {
			item.Series = append(item.Series, row)
		}
	}
	if at.quiet {
		return
	}
	labels := c.labels(a)
	maps.Copy(labels, t.given)
	for label, v := range labels {
		if v == "" {
			delete(labels, label)
		}
	}
	want := expAlert{labels, c.annotations(a, func(s string) string { return filled(s, t.shown, labels) })}
	for i := range item.Alerts {
		if i == 1 || at.stays {
			item.Alerts[i].Alerts = append(item.Alerts[i].Alerts, want)
		}
	}
}

var placeholder = regexp.MustCompile(`{{ \$(value|labels\.[a-z]+)[^}]* }}`)

// filled is a text as Prometheus fills it in.
func filled(s, value string, labels map[string]string) string {
	return placeholder.ReplaceAllStringFunc(s, func(m string) string {
		what := placeholder.FindStringSubmatch(m)[1]
		if label, ok := strings.CutPrefix(what, "labels."); ok {
			return labels[label]
		}
		return value
	})
}

// values is a series in promtool's notation.
func (c *Config) values(at course, s series) string {
	var samples []float64
	var out []string
	step := at.step.Seconds() * c.Scale
	m := moment{step: step}
	for i, length := range []time.Duration{at.well, at.wrong, at.again} {
		m.wrong = i == 1
		for m.n = range int(length / at.step) {
			m.had = s.at(m)
			m.now += step
			samples = append(samples, m.had)
		}
		if s.gone {
			if m.wrong {
				out = append(out, "stale", fmt.Sprintf("_x%d", len(samples)-1))
			} else {
				out = append(out, runs(samples)...)
			}
			samples = nil
		}
	}
	return strings.Join(append(out, runs(samples)...), " ")
}

// runs writes samples as "0x29" and "10+2x4", where they stay or grow evenly.
func runs(samples []float64) []string {
	var out []string
	for i := 0; i < len(samples); {
		n := 1
		if i+1 == len(samples) {
			return append(out, number(samples[i]))
		}
		by := samples[i+1] - samples[i]
		for i+n < len(samples) && samples[i+n]-samples[i+n-1] == by {
			n++
		}
		grows := ""
		if by != 0 {
			grows = strings.Replace("+"+number(by), "+-", "-", 1)
		}
		out = append(out, fmt.Sprintf("%s%sx%d", number(samples[i]), grows, n-1))
		i += n
	}
	return out
}

// spoken is a duration as humanizeDuration writes it.
func spoken(d time.Duration) string {
	s := int64(d.Seconds())
	days, hours, minutes := s/86400, s/3600%24, s/60%60
	switch {
	case days != 0:
		return fmt.Sprintf("%dd %dh %dm %ds", days, hours, minutes, s%60)
	case hours != 0:
		return fmt.Sprintf("%dh %dm %ds", hours, minutes, s%60)
	case minutes != 0:
		return fmt.Sprintf("%dm %ds", minutes, s%60)
	}
	return fmt.Sprintf("%.4gs", d.Seconds())
}

// sortedKeys is the keys of a map, sorted.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
