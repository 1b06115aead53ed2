package app

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/binaryandbeyond/seam/consumers/lag"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// newRegistry takes every metric of the process, and has Go's and the process's own.
func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// monitor watches the groups; nil where the reconciler does not run.
func (c *Config) monitor(kafka *kafkaClients, reg prometheus.Registerer, health *health) (*lag.Monitor, error) {
	if !c.runs("reconcile") {
		return nil, nil
	}
	return lag.New(lag.Config{Topology: c.Topology, Options: kafka.of("monitor"), Registerer: reg, Beat: health.loop("monitor"), Logger: c.Logger})
}

// written is the topics that the roles of the process write what must not wait to, prefix included.
func (c *Config) written() []string {
	var out []string
	if c.runs("edge") {
		for _, topic := range []string{schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory, topology.TopicQuarantine} {
			out = append(out, c.Topology.TopicName(topic))
		}
	}
	for i := range c.Topology.Integrations {
		if name := c.Topology.Integrations[i].Name; c.runs(name) {
			out = append(out, c.Topology.TopicName(topology.TopicReconciliation), c.Topology.Ledger(name), c.Topology.Parked(name))
		}
	}
	if c.runs("reconcile") {
		out = append(out, c.Topology.TopicName(topology.TopicDisagreements))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
