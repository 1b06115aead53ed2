package connect

import "strings"

// SignIn says how somebody signs in, and none of what with.
type SignIn struct {
	Mechanism string // SASL's name; mTLS by a certificate alone; for a registry also basic or bearer tokens; empty for none
	TLS       bool
	CA        bool // another authority than the system's
}

// User tells whether a user and password sign in.
func (s SignIn) User() bool {
	return s.Mechanism == "basic" || s.Mechanism == "PLAIN" || strings.HasPrefix(s.Mechanism, "SCRAM-")
}

// Else is a mechanism that takes more than a user and password; empty for none.
func (s SignIn) Else() string {
	if s.User() {
		return ""
	}
	return s.Mechanism
}

// Protocol is Kafka's name of how the brokers are spoken to: security.protocol.
func (s SignIn) Protocol() string {
	sasl := s.Mechanism != "" && s.Mechanism != "mTLS"
	switch {
	case s.TLS && sasl:
		return "SASL_SSL"
	case s.TLS:
		return "SSL"
	case sasl:
		return "SASL_PLAINTEXT"
	}
	return "PLAINTEXT"
}

// Describe tells how the brokers and the registry are signed in to, as Kafka and Registry read it, for others who must do so too.
func Describe(lookup func(string) (string, bool)) (kafka, registry SignIn, err error) {
	k, r := newSettings("SEAM_KAFKA_", lookup), newSettings("SEAM_REGISTRY_", lookup)
	if kafka, err = k.describe(k.how()); err != nil {
		return kafka, registry, err
	}
	how := ""
	switch {
	case r.has("TOKEN") || r.has("TOKEN_URL"):
		how = "bearer tokens"
	case r.has("USER"):
		how = "basic"
	}
	registry, err = r.describe(how)
	return kafka, registry, err
}

func (s settings) describe(how string) (SignIn, error) {
	secured, err := s.secured()
	if how == "" && s.has("CERT") {
		how = "mTLS"
	}
	return SignIn{Mechanism: how, TLS: secured != nil, CA: s.has("CA")}, err
}
