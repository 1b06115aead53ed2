package topology

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/binaryandbeyond/seam/schemas"
)

// Embedded is a Kafka broker and a schema registry inside this process, for demos and first tries: any Kafka client can
// connect to it, and everything is gone when it closes.
type Embedded struct {
	Brokers  []string // host:port on loopback
	Registry string   // URL with the Confluent API
	fake     *kfake.Cluster
	server   *http.Server
}

// The loopback ports an Embedded takes when they are free, so that a second terminal finds it without being told.
const (
	EmbeddedBrokerPort   = 19092
	EmbeddedRegistryPort = 18081
)

// StartEmbedded starts both on loopback: on the well-known ports with wellKnown, as long as they are free, and else on any.
func StartEmbedded(wellKnown bool) (*Embedded, error) {
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.MaxVersions(EmbeddedVersions())}
	brokerPort, registryAddr := 0, "127.0.0.1:0"
	if wellKnown && portFree(EmbeddedBrokerPort) && portFree(EmbeddedRegistryPort) {
		brokerPort, registryAddr = EmbeddedBrokerPort, fmt.Sprintf("127.0.0.1:%d", EmbeddedRegistryPort)
	}
	if brokerPort != 0 {
		opts = append(opts, kfake.Ports(brokerPort))
	}
	fake, err := kfake.NewCluster(opts...)
	if err != nil {
		return nil, fmt.Errorf("start the embedded broker: %w", err)
	}
	ln, err := net.Listen("tcp", registryAddr)
	if err != nil {
		fake.Close()
		return nil, fmt.Errorf("start the embedded registry: %w", err)
	}
	e := &Embedded{Brokers: fake.ListenAddrs(), Registry: "http://" + ln.Addr().String(), fake: fake,
		server: &http.Server{Handler: schemas.NewMemoryRegistry(), ReadHeaderTimeout: 5 * time.Second}}
	go func() { _ = e.server.Serve(ln) }() // ends with ErrServerClosed at Close
	return e, nil
}

// EmbeddedVersions is what the embedded broker says it speaks. Kafka 4.3's admin tools meet two answers of it that they do not
// expect; told that it is older there, they ask otherwise: DescribeTopicPartitions has a null they cannot read, and the types
// filter of ListGroups version 5 is matched with its case, so that they see no group.
func EmbeddedVersions() *kversion.Versions {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.DescribeTopicPartitions.Int16(), -1)
	versions.SetMaxKeyVersion(kmsg.ListGroups.Int16(), 4)
	return versions
}

// Close stops both.
func (e *Embedded) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := e.server.Shutdown(ctx)
	e.fake.Close()
	if errors.Is(err, context.DeadlineExceeded) {
		return e.server.Close()
	}
	return err
}

func portFree(port int) bool {
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return ln.Close() == nil
}
