package connect

import (
	"context"
	"fmt"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Kafka is how the brokers are reached beside their addresses. All variables begin with SEAM_KAFKA_:
//
//   - TLS=true for TLS with the system's roots; CA, a PEM file, for others; CERT and KEY, PEM files, for a client's certificate.
//   - SASL: SCRAM-SHA-512 (the default with a USER), SCRAM-SHA-256 or PLAIN, with USER and PASSWORD; OAUTHBEARER (the default with
//     a TOKEN or TOKEN_URL), with either TOKEN, or TOKEN_URL, CLIENT_ID, CLIENT_SECRET and SCOPE, and EXTENSIONS (name=value,...);
//     AWS_MSK_IAM, with what AWS's own variables, files, or the machine's role give.
//
// PASSWORD, TOKEN and CLIENT_SECRET may be files by _FILE. All but SCRAM need TLS.
func Kafka(lookup func(string) (string, bool)) ([]kgo.Opt, error) {
	s := newSettings("SEAM_KAFKA_", lookup)
	secured, err := s.secured()
	if err != nil {
		return nil, err
	}
	var out []kgo.Opt
	if secured != nil {
		out = append(out, kgo.Dialer(secured.dial))
	}
	mechanism, err := s.mechanism(secured)
	if err != nil {
		return nil, err
	}
	if mechanism != nil {
		out = append(out, kgo.SASL(mechanism))
	}
	return out, nil
}

// how is the mechanism that the variables ask for; empty for none.
func (s settings) how() string {
	switch how := s.get("SASL"); {
	case how != "":
		return how
	case s.has("TOKEN") || s.has("TOKEN_URL"):
		return "OAUTHBEARER"
	case s.has("USER"):
		return "SCRAM-SHA-512"
	}
	return ""
}

// mechanism is how to sign in; nil for not at all.
func (s settings) mechanism(secured *secured) (sasl.Mechanism, error) {
	how := s.how()
	switch {
	case how == "" && s.has("PASSWORD"):
		return nil, fmt.Errorf("%s is set and there is no %s: set it", s.name("PASSWORD"), s.name("USER"))
	case how == "":
		return nil, nil
	}
	if how != "SCRAM-SHA-512" && how != "SCRAM-SHA-256" && secured == nil {
		switch how {
		case "PLAIN", "OAUTHBEARER", "AWS_MSK_IAM":
			return nil, fmt.Errorf("%s=%s sends what opens the cluster as it is: set %s=true, or %s", s.name("SASL"), how, s.name("TLS"), s.name("CA"))
		}
	}
	switch how {
	case "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN":
		return s.password(how)
	case "OAUTHBEARER":
		return s.oauthbearer(secured)
	case "AWS_MSK_IAM":
		return mskIAM(), nil
	}
	return nil, fmt.Errorf("%s is %q: SCRAM-SHA-512, SCRAM-SHA-256, PLAIN, OAUTHBEARER or AWS_MSK_IAM", s.name("SASL"), how)
}

// password signs in with a user's password, as it is at each sign-in.
func (s settings) password(how string) (sasl.Mechanism, error) {
	read := func() (user, password string, err error) {
		if user, err = s.need("USER", s.name("SASL")+" is "+how); err == nil {
			password, err = s.need("PASSWORD", s.name("USER")+" is "+user)
		}
		return user, password, err
	}
	if _, _, err := read(); err != nil {
		return nil, err
	}
	byScram := func(context.Context) (scram.Auth, error) {
		user, password, err := read()
		return scram.Auth{User: user, Pass: password}, err
	}
	switch how {
	case "SCRAM-SHA-512":
		return scram.Sha512(byScram), nil
	case "SCRAM-SHA-256":
		return scram.Sha256(byScram), nil
	}
	return plain.Plain(func(context.Context) (plain.Auth, error) {
		user, password, err := read()
		return plain.Auth{User: user, Pass: password}, err
	}), nil
}

// oauthbearer signs in with a token (RFC 7628), and again with the next one before the broker's session is over (KIP-368).
func (s settings) oauthbearer(secured *secured) (sasl.Mechanism, error) {
	token, err := s.bearer(secured)
	if err != nil {
		return nil, err
	}
	if token == nil {
		return nil, fmt.Errorf("%s is OAUTHBEARER and there is no token: set %s (or _FILE), or %s", s.name("SASL"), s.name("TOKEN"), s.name("TOKEN_URL"))
	}
	extensions, err := s.pairs("EXTENSIONS")
	if err != nil {
		return nil, err
	}
	return oauth.Oauth(func(ctx context.Context) (oauth.Auth, error) {
		text, err := token(ctx)
		return oauth.Auth{Token: text, Extensions: extensions}, err
	}), nil
}

// mskIAM signs in to Amazon MSK by IAM, with what AWS_ACCESS_KEY_ID and its like, the shared credentials file, or the role of the
// pod or machine gives.
func mskIAM() sasl.Mechanism {
	found := credentials.NewChainCredentials([]credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{}})
	return aws.ManagedStreamingIAM(func(context.Context) (aws.Auth, error) {
		v, err := found.GetWithContext(nil)
		if err == nil && v.AccessKeyID == "" {
			err = fmt.Errorf("AWS_MSK_IAM: no credentials are found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the pod a role")
		}
		return aws.Auth{AccessKey: v.AccessKeyID, SecretKey: v.SecretAccessKey, SessionToken: v.SessionToken, UserAgent: "seam"}, err
	})
}
