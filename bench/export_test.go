package bench

// Listen starts the downstream of the http case.
func Listen() (*downstream, error) { return listen() }

// Close ends it.
func (d *downstream) Close() { d.close() }

// URL is where it listens.
func (d *downstream) URL() string { return d.url }

// Counted is what it saw.
func (d *downstream) Counted() (calls, inversions int64) { return d.calls.Load(), d.inversions.Load() }
