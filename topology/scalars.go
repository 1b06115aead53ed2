package topology

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Duration is a time.Duration written as Go writes it ("30s", "2h"), or with a leading number of days ("35d").
type Duration time.Duration

// UnmarshalYAML reads the text form; a bare number is refused, as its unit would be a guess.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := ParseDuration(n.Value)
	if err != nil {
		return fault(n, "%v", err)
	}
	*d = Duration(v)
	return nil
}

// maxDays is a century, and far from the 106,751 days that a time.Duration can hold.
const maxDays = 36525

// ParseDuration is time.ParseDuration with days ("35d", "1d12h").
func ParseDuration(s string) (time.Duration, error) {
	days := time.Duration(0)
	rest := s
	if i := strings.IndexByte(s, 'd'); i > 0 {
		n, err := strconv.Atoi(s[:i])
		if err != nil || n < 0 || n > maxDays {
			return 0, fmt.Errorf("bad duration %q: write 30s, 15m, 2h or 35d", s)
		}
		days, rest = time.Duration(n)*24*time.Hour, s[i+1:]
		if rest == "" {
			return days, nil
		}
	}
	v, err := time.ParseDuration(rest)
	if err != nil || v < 0 || days+v < 0 {
		return 0, fmt.Errorf("bad duration %q: write 30s, 15m, 2h or 35d", s)
	}
	return days + v, nil
}

// Bytes is a size: "512KiB", "1MiB", or a bare number of bytes.
type Bytes int64

// UnmarshalYAML reads the text form.
func (b *Bytes) UnmarshalYAML(n *yaml.Node) error {
	s, unit := n.Value, int64(1)
	for suffix, u := range map[string]int64{"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30} {
		if cut, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = cut, u
		}
	}
	v, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || v <= 0 {
		return fault(n, "bad size %q: write 512KiB, 1MiB or a number of bytes", n.Value)
	}
	*b = Bytes(v * unit)
	return nil
}

// Percent is a share written "50%", between 0% and 100%.
type Percent float64

// UnmarshalYAML reads the text form.
func (p *Percent) UnmarshalYAML(n *yaml.Node) error {
	s, ok := strings.CutSuffix(n.Value, "%")
	v, err := strconv.ParseFloat(s, 64)
	if !ok || err != nil || v < 0 || v > 100 {
		return fault(n, "bad share %q: write 50%%", n.Value)
	}
	*p = Percent(v)
	return nil
}

// PerSecond is a rate written "50/s" or "600/m".
type PerSecond float64

// UnmarshalYAML reads the text form.
func (r *PerSecond) UnmarshalYAML(n *yaml.Node) error {
	num, unit, ok := strings.Cut(n.Value, "/")
	per := map[string]float64{"s": 1, "m": 60, "h": 3600}[unit]
	v, err := strconv.ParseFloat(num, 64)
	if !ok || per == 0 || err != nil || v <= 0 {
		return fault(n, "bad rate %q: write 50/s or 600/m", n.Value)
	}
	*r = PerSecond(v / per)
	return nil
}

// fault is an error at a place of a YAML file; as a TypeError the decoder collects it and reads on.
func fault(n *yaml.Node, format string, args ...any) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: ", n.Line) + fmt.Sprintf(format, args...)}}
}

// or sets a zero value to its default.
func or[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
