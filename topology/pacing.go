package topology

// Retry is how a delivery is repeated; the order's lane waits meanwhile, nothing else does.
type Retry struct {
	Initial     Duration `yaml:"initial"`       // first ceiling of the full-jitter backoff. Default 200ms
	Max         Duration `yaml:"max"`           // greatest ceiling. Default 2m
	GiveUpAfter Duration `yaml:"give_up_after"` // then the event is parked. Default 2h
	// Budget is the share of repetitions among calls; beyond it (and ten a second) they wait. Default 20%.
	Budget Percent `yaml:"budget"`
}

// Breaker stops all calls of an integration while it mostly fails.
type Breaker struct {
	Failures Percent  `yaml:"failures"` // share of the last Of calls. Default 50%
	Of       int      `yaml:"of"`       // default 20
	Open     Duration `yaml:"open"`     // how long no call is made; then one probe. Default 30s
}

// Rate is the greatest number of calls of an integration, over all its instances: each takes the share that its partitions
// are of all.
type Rate struct {
	Limit PerSecond `yaml:"limit"` // default none
	// Slow gives hours of the week a lower limit: Monday mornings.
	Slow []Slow `yaml:"slow"`
}

// Slow is hours of the week with a limit of their own.
type Slow struct {
	Window `yaml:",inline"`
	Limit  PerSecond `yaml:"limit"`
}
