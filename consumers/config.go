package consumers

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"

	"github.com/binaryandbeyond/seam/consumers/ledger"
	"github.com/binaryandbeyond/seam/contract"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Config is one worker: one integration in one process.
type Config struct {
	Topology    *topology.Topology
	Integration *topology.Integration
	Options     []kgo.Opt // how to reach the cluster: brokers, TLS, SASL
	Serde       *schemas.Serde
	// Instance names this process in the group. With Static true it is also the group.instance.id: a restart under the same
	// name takes its partitions back at once. Two processes must not share a name. Default random.
	Instance string
	Static   bool
	// Tick is how often settled work is committed. Default 50ms: a transaction costs the broker 15 to 25 ms whatever its size.
	Tick time.Duration
	// Session is the group's session.timeout.ms. Default 12s; calls are allowed for three quarters of it after a heartbeat.
	Session time.Duration
	// Grace is how long a stop takes at most: calls under way may end, and are ended when a quarter of it, 5s at most, is left
	// for the last commit. Default DefaultGrace.
	Grace time.Duration
	// Facts is asked before each call whose body names facts. Required where a route's does.
	Facts   Facts
	Ledger  *ledger.Disk // local copy of the ledgers, shared by the workers of a process; nil keeps them in memory
	Metrics *Metrics     // default: not registered anywhere
	// Tracer begins the spans of events and calls; nil for none. The context that an event carries is sent on all the same.
	Tracer trace.Tracer
	// Contracts watches what the downstream answers; nil for nobody.
	Contracts *contract.Watch
	Logger    *slog.Logger
	// LogOutcomes is which outcomes are told at info: LogActed (default), LogAll or LogNone.
	LogOutcomes string
	// Report is told the worker's status when it changes and every few seconds; nil for nobody.
	Report func(*schemas.WorkerStatus)
	// Beat is told each time the loop goes round, at least every second, and false when the worker waits for Kafka and has no loop.
	// Nil for nobody.
	Beat func(runs bool)
	// Now is the clock. Default time.Now.
	Now func() time.Time

	extra   []kgo.Opt     // of tests, after the worker's own
	limiter *rate.Limiter // of calls and read-backs together
}

func (c Config) withDefaults() Config {
	if c.Instance == "" {
		b := make([]byte, 4)
		_, _ = rand.Read(b) // crypto/rand.Read never fails
		c.Instance = hex.EncodeToString(b)
	}
	if c.Tick == 0 {
		c.Tick = 50 * time.Millisecond
	}
	if c.Session == 0 {
		c.Session = 12 * time.Second
	}
	if c.Grace <= 0 {
		c.Grace = DefaultGrace
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	if c.Report == nil {
		c.Report = func(*schemas.WorkerStatus) {}
	}
	if c.Beat == nil {
		c.Beat = func(bool) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

const (
	heartbeat      = time.Second      // of the group: twelve in a session
	rebalanceLimit = 60 * time.Second // longer than the longest drain of calls
	txnTimeout     = 10 * time.Second // a dead worker's transaction holds readers no longer than this
	registryLimit  = 10 * time.Second // one question to the schema registry
	drainLimit     = 15 * time.Second // how long a revoked partition waits for its calls; then they are abandoned
	maxQueued      = 20_000           // records held in lanes before fetching pauses; at 1 KB each, 20 MB
	maxBatch       = 5_000            // records in one transaction
	maxPoll        = 1_000            // records handed over at once
	maxAttempts    = 20               // attempts an outcome keeps: the first and the latest
	maxAborts      = 20               // transactions aborted in a row, in some 12s, before a new client tries
)

// options is how the worker's client joins.
func (c Config) options() []kgo.Opt {
	group := c.Topology.Group(c.Integration.Name)
	id := group + "/" + c.Instance
	opts := append(append([]kgo.Opt{}, c.Options...),
		kgo.ClientID(id), // the members' client ids tell ledger.Fence whose transactions are alive
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(c.Topology.InputTopics(c.Integration)...),
		// NoResetOffset makes records lost to retention an error instead of a silent skip; alone it would start a new group
		// at the end.
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.DisableAutoCommit(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchMaxBytes(2<<20), // compressed: five to ten times that in memory, and twice, as the next fetch is under way
		kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(c.Session),
		kgo.HeartbeatInterval(min(heartbeat, c.Session/4)),
		kgo.RebalanceTimeout(rebalanceLimit),
		// With several brokers a transaction often begins before the last one's markers stand everywhere; the partition refuses
		// its records until then, and the client sends them again only after it has asked for metadata, by default after 5 s.
		kgo.MetadataMinAge(50*time.Millisecond),
		kgo.TransactionalID(id),
		kgo.TransactionTimeout(txnTimeout),
		kgo.ProducerLinger(0),              // the tick is the linger
		kgo.ProducerBatchMaxBytes(4194304), // max.message.bytes of the parked topics: see topology
		// The next level of zstd takes twice as long for little.
		kgo.ProducerBatchCompression(kgo.ZstdCompression().WithLevel(1), kgo.NoCompression()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), // ledger and parked lie where their input lies
	)
	if c.Static {
		opts = append(opts, kgo.InstanceID(c.Instance))
	}
	return append(opts, c.extra...)
}
