package topology

import "time"

// Volume is how much is to be expected: events of a source, or calls of an integration.
type Volume struct {
	Usual PerSecond `yaml:"usual"` // of a usual working hour
	Peak  PerSecond `yaml:"peak"`  // of the busiest minutes: a campaign, the day before Christmas. Default Usual
}

// Most is the peak, or the usual volume where no peak is said.
func (v Volume) Most() PerSecond { return max(v.Usual, v.Peak) }

func (v *Volume) scale(f float64) {
	v.Usual, v.Peak = PerSecond(float64(v.Usual)/f), PerSecond(float64(v.Peak)/f)
}

// DefaultObjective is the share of orders that complete in time where a file does not say.
const DefaultObjective Percent = 99.5

// RetryFloor is how many repetitions a second an integration may always make, whatever its budget: with little traffic it must
// still get over a bad minute. Source: the default of Finagle's RetryBudget.
const RetryFloor = 10

// Waiver lets an integration or source run against a rule of the review for a while: an entry of waivers.yaml. Every key is
// required.
type Waiver struct {
	Rule   string `yaml:"rule"`
	On     string `yaml:"on"` // what the finding is about: "warehouse", "integrations/warehouse", "order.total"
	Owner  string `yaml:"owner"`
	Reason string `yaml:"reason"`
	// Expires is the last day on which it counts, in UTC: 2027-03-31.
	Expires string `yaml:"expires"`
}

// Until is when the waiver ends; false where Expires is no date.
func (w Waiver) Until() (time.Time, bool) {
	day, err := time.Parse(time.DateOnly, w.Expires)
	return day.AddDate(0, 0, 1), err == nil
}
