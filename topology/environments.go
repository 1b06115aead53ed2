package topology

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"slices"
	"strings"
)

// Environment is what one environment may reach: an entry of environments.yaml, which may be missing; then any may reach all. A
// pattern is a host with * for any part of it ("*.staging.example"), or host:port.
type Environment struct {
	Brokers  []string `yaml:"brokers"`  // patterns of --bootstrap-server; empty allows all
	Registry []string `yaml:"registry"` // patterns of the registry's host; empty allows all
	Hosts    []string `yaml:"hosts"`    // patterns of what integrations and polls call; empty allows all that Never does not name
	Never    []string `yaml:"never"`    // patterns of what must not be reached, whatever else is allowed; of brokers too
	// Private are networks within that calls may go to, beside public addresses. Empty: none, and loopback in development.
	Private []PrivateNetwork `yaml:"private"`
	// EnvFile is where seam diff reads the environment's variables, NAME=value a line. Relative to the topology folder.
	EnvFile string `yaml:"env_file"`
	// Topology is the environment's own folder, for seam diff. Default the folder of this file.
	Topology string `yaml:"topology"`
}

// environments reads environments.yaml and holds the addresses of the files to it, unless they stand for variables that are not
// set.
func (l *loader) environments(t *Topology) {
	l.optional("environments.yaml", &t.Environments)
	for _, name := range sortedKeys(t.Environments) {
		e := t.Environments[name]
		l.private(name, e.Private)
		for key, patterns := range map[string][]string{"brokers": e.Brokers, "registry": e.Registry, "hosts": e.Hosts, "never": e.Never} {
			for i, p := range patterns {
				if _, err := path.Match(p, ""); err != nil || p == "" || strings.Contains(p, "/") {
					l.at("environments.yaml", fmt.Sprintf("%s.%s.%d", name, key, i), "bad pattern %q: write a host, with * for any part of it: *.staging.example", p)
				}
			}
		}
	}
	if len(t.Environments) == 0 || l.unset != "" {
		return
	}
	env, ok := t.Environments[t.Environment]
	if !ok {
		l.at("topics.yaml", "environment", "environment %q is not in environments.yaml, which has %s: nobody said what it may reach", t.Environment, strings.Join(sortedKeys(t.Environments), ", "))
		return
	}
	for i := range t.Integrations {
		in := &t.Integrations[i]
		file := strings.TrimSuffix(in.Mark, ":1")
		for j, r := range in.Deliver {
			if r.HTTP != nil {
				l.reach(t, env, file, fmt.Sprintf("deliver.%d.http.url", j), r.HTTP.URL)
				if r.ReadBack != nil {
					l.reach(t, env, file, fmt.Sprintf("deliver.%d.read_back.get", j), r.ReadBack.Get.source)
				}
				if o := r.HTTP.Auth.OAuth2; o != nil {
					l.reach(t, env, file, fmt.Sprintf("deliver.%d.http.auth.oauth2.token_url", j), o.TokenURL)
				}
			}
		}
		if _, address, ok := strings.Cut(in.Idempotency.Probe, " "); ok {
			l.reach(t, env, file, "idempotency.probe", address)
		}
		if in.Environment != nil {
			l.reach(t, env, file, "environment.get", in.Environment.Get)
		}
	}
	for i := range t.Sources {
		if s := &t.Sources[i]; s.URL != "" {
			l.reach(t, env, strings.TrimSuffix(s.Mark, ":1"), "url", s.URL)
		}
	}
}

// reach is a fault when the environment may not call an address; it names the variable that the address came from.
func (l *loader) reach(t *Topology, env Environment, file, key, address string) {
	u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(address))
	if err != nil || u.Host == "" {
		return // a fault of its own
	}
	why := env.forbids(u.Host, env.Hosts)
	if why == "" {
		return
	}
	from := "write the address of " + t.Environment
	if vars := l.values[file+"#"+key].Variables; len(vars) > 0 {
		from = fmt.Sprintf("it comes from %s: set it to that of %s", strings.Join(vars, ", "), t.Environment)
	}
	l.at(file, key, "this is environment %s, and %s is called, %s; %s", t.Environment, u.Host, why, from)
}

// forbids says why a host may not be reached; empty when it may.
func (e Environment) forbids(host string, allowed []string) string {
	if p := matching(e.Never, host); p != "" {
		return fmt.Sprintf("which environments.yaml forbids (never: %s)", p)
	}
	if len(allowed) > 0 && matching(allowed, host) == "" {
		return fmt.Sprintf("which is none of what environments.yaml allows it (%s)", strings.Join(allowed, ", "))
	}
	return ""
}

// matching is the first pattern that a host, with or without its port, fits; empty when none does.
func matching(patterns []string, host string) string {
	host = strings.ToLower(host)
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	i := slices.IndexFunc(patterns, func(p string) bool {
		p = strings.ToLower(p)
		whole, _ := path.Match(p, host) // bad patterns are faults of the file
		part, _ := path.Match(p, name)
		return whole || part
	})
	if i < 0 {
		return ""
	}
	return patterns[i]
}

// AllowCluster is an error when environments.yaml does not let this environment reach the brokers or the registry; from names what
// names the brokers. It does no I/O. No brokers, an embedded one, are allowed.
func (t *Topology) AllowCluster(brokers []string, registry, from string) error {
	if len(t.Environments) == 0 || len(brokers) == 0 {
		return nil
	}
	env, ok := t.Environments[t.Environment]
	if !ok {
		return fmt.Errorf("environment %q (SEAM_ENVIRONMENT) is not in environments.yaml, which has %s", t.Environment, strings.Join(sortedKeys(t.Environments), ", "))
	}
	var errs []error
	for _, b := range brokers {
		if why := env.forbids(b, env.Brokers); why != "" {
			errs = append(errs, fmt.Errorf("this is environment %s, and %s names broker %s, %s", t.Environment, orWord(from, "SEAM_BROKERS"), b, why))
		}
	}
	if u, err := url.Parse(registry); err == nil && u.Host != "" {
		if why := env.forbids(u.Host, env.Registry); why != "" {
			errs = append(errs, fmt.Errorf("this is environment %s, and SEAM_REGISTRY (--registry) names %s, %s", t.Environment, u.Host, why))
		}
	}
	return errors.Join(errs...)
}

// Handshake is a question by which a downstream says which environment it is: asked before anything runs. Another answer refuses
// the start; none is a warning.
type Handshake struct {
	Get    string `yaml:"get"`    // URL
	Header string `yaml:"header"` // of the answer that says it
	JSON   string `yaml:"json"`   // or the dotted path in the answer's body
	Equals string `yaml:"equals"` // what it must say; {environment} is ours. Default "{environment}"
	Auth   Auth   `yaml:"auth"`
}

// Want is what the answer must say in an environment.
func (h *Handshake) Want(environment string) string {
	return strings.ReplaceAll(orWord(h.Equals, "{environment}"), "{environment}", environment)
}

// handshake checks the question of an integration.
func (l *loader) handshake(file string, h *Handshake) {
	if h == nil {
		return
	}
	if u, err := url.Parse(h.Get); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		l.at(file, "environment.get", "get %q is not an http address", h.Get)
	}
	if (h.Header == "") == (h.JSON == "") {
		l.at(file, "environment", "say where the answer stands: one of header and json")
	}
	l.oauth2(file, "environment.auth", h.Auth)
}
