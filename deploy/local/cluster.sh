#!/usr/bin/env bash
# A real Apache Kafka, a real schema registry and, where asked, a real PostgreSQL on loopback, without containers.
#
#   eval "$(deploy/local/cluster.sh start)"    fetch what is missing, start both, wait until they answer; --brokers 3 starts as
#                                              many, which hold a replica of everything each; --postgres starts that too;
#                                              --no-registry leaves the registry out; --secure turns TLS, SCRAM, client
#                                              certificates and ACLs on (secure.properties), with the user admin, who may do
#                                              all, and one more for each --user NAME; name=value after them is added to the
#                                              brokers' server.properties, and KAFKA_OPTS to their Java's options
#   go test ./...                              now against them
#   deploy/local/cluster.sh stop               end exactly what start began ($SEAM_LOCAL), remove its files
#   deploy/local/cluster.sh restart [N]        kill broker N of $SEAM_LOCAL (SIGKILL; the first unless told), start it again,
#                                              wait until it answers
#   deploy/local/cluster.sh freeze [N]         stop that broker where it stands (SIGSTOP); thaw lets it go on (SIGCONT)
#   eval "$(deploy/local/cluster.sh fetch)"    only fetch: the tools of the interop tests, without a broker
#
# start prints on stdout what to export: SEAM_BROKERS, SEAM_REGISTRY, SEAM_POSTGRES and SEAM_LOCAL (the folder of this run), and
# as fetch does SEAM_KAFKA_LIBS (Kafka's jars, for the Java tools) and SEAM_PYTHON (an interpreter with the stock client). With
# --secure also SEAM_KAFKA_CA, SEAM_KAFKA_USER and SEAM_KAFKA_PASSWORD_FILE of admin, and SEAM_LOCAL_MTLS, where client certificates
# sign in; $SEAM_LOCAL/secure has NAME.password, NAME.crt and NAME.key of each user. Talk goes to stderr.
# Jars and the interpreter stay in ${SEAM_CACHE:-$HOME/.cache/seam}; the records of a run in a temporary folder.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SEAM_CACHE:-$HOME/.cache/seam}
wait_seconds=${SEAM_START_TIMEOUT:-120} # each of broker and registry may take this long; a quiet machine needs 10 s

say() { printf '%s\n' "cluster: $*" >&2; }
die() { say "$*"; exit 1; }

# need COMMAND PACKAGE...: installs Debian packages for a command that is missing.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null; then
    die "$command is missing: install it first (Debian: apt-get install $*)"
  fi
  say "installing $*"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; } >&2 </dev/null
}

# jars is the folder of this pom's artefacts, made once: a changed pom.xml is another folder.
jars() { printf '%s/jvm-%s' "$cache" "$(cksum <"$here/pom.xml" | cut -d' ' -f1)"; }
venv() { printf '%s/python-%s' "$cache" "$(cksum <"$here/requirements.txt" | cut -d' ' -f1)"; }

fetch() {
  need java default-jre-headless
  local version
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  ((version >= 17)) || die "java is version $version, and Kafka 4 needs 17 or newer (Debian: apt-get install default-jre-headless)"
  need curl curl
  need kcat kcat
  mkdir -p "$cache"
  if [[ ! -d $(jars) ]]; then
    need mvn maven
    say "fetching Kafka and the registry into $(jars)"
    local part
    part=$(mktemp -d "$cache/part.XXXXXX")
    mvn -q -B -Dstyle.color=never -f "$here/pom.xml" package -Dinto="$part" >&2 </dev/null || die "fetching failed; mvn's words are above"
    chmod 755 "$part"
    mv -T "$part" "$(jars)" 2>/dev/null || rm -rf "$part" # another run was quicker
  fi
  if [[ ! -x $(venv)/bin/python || ! -f $(venv)/complete ]]; then
    need python3 python3 python3-venv
    say "making $(venv)"
    rm -rf "$(venv)"
    if ! python3 -m venv "$(venv)" >&2; then # Debian ships venv apart
      [[ $(id -u) == 0 ]] || die "python3 -m venv does not work: install it first (Debian: apt-get install python3-venv)"
      DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3-venv >&2 </dev/null
      python3 -m venv "$(venv)" >&2
    fi
    "$(venv)/bin/pip" install -q -r "$here/requirements.txt" >&2 </dev/null || die "pip install failed; its words are above"
    touch "$(venv)/complete"
  fi
  printf 'export SEAM_KAFKA_LIBS=%q\nexport SEAM_PYTHON=%q\n' "$(jars)/kafka" "$(venv)/bin/python"
}

# postgres_bin is the folder of PostgreSQL's programs, which Debian keeps out of PATH; installed when it is missing.
postgres_bin() {
  local found
  found=$(find /usr/lib/postgresql -path '*/bin/postgres' 2>/dev/null | sort -V | tail -n 1)
  if [[ -z $found ]] && command -v postgres >/dev/null; then found=$(readlink -f "$(command -v postgres)"); fi
  if [[ -z $found ]]; then
    [[ -z ${1:-} ]] || die "PostgreSQL was installed and is not found under /usr/lib/postgresql"
    need pg_lsclusters postgresql-common
    mkdir -p /etc/postgresql-common
    printf 'create_main_cluster = false\n' >/etc/postgresql-common/createcluster.conf # we start our own and no other
    say "installing postgresql"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql >&2 </dev/null
    postgres_bin again
    return
  fi
  dirname "$found"
}

# start_postgres PORT: a PostgreSQL whose data is of this run. It does not run as root: then it is Debian's user postgres.
start_postgres() {
  local bin as=()
  bin=$(postgres_bin)
  mkdir "$SEAM_LOCAL/postgres"
  if [[ $(id -u) == 0 ]]; then
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
    chmod 711 "$SEAM_LOCAL"
    chown postgres: "$SEAM_LOCAL/postgres"
  fi
  (cd / && "${as[@]}" "$bin/initdb" -D "$SEAM_LOCAL/postgres" -U seam -A trust -E UTF8 --locale=C --no-sync) >"$SEAM_LOCAL/initdb.log" 2>&1 ||
    { cat "$SEAM_LOCAL/initdb.log" >&2; die "initdb failed"; }
  (cd / && spawn postgres "${as[@]}" "$bin/postgres" -D "$SEAM_LOCAL/postgres" -p "$1" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=200)
  await postgres "$bin/pg_isready" -h 127.0.0.1 -p "$1" -U seam -d postgres
  say "PostgreSQL answers at 127.0.0.1:$1 after $SECONDS s"
  printf 'export SEAM_POSTGRES=%q\n' "postgres://seam@127.0.0.1:$1/postgres?sslmode=disable"
}

# free_port picks a port that nobody listens on, below the ephemeral range: a client that polls an ephemeral port may
# connect to itself and hold it.
free_port() {
  local port
  for _ in {1..200}; do
    port=$(shuf -i 20000-29999 -n 1)
    if [[ " $taken " != *" $port "* ]] && ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      printf '%s' "$port"
      return
    fi
  done
  die "no free port between 20000 and 29999"
}

# started_at is the start time of a process in clock ticks: with it a pid is one process and not its successor.
started_at() { awk '{sub(/^.*\) /, ""); print $20}' "/proc/$1/stat" 2>/dev/null; }

# spawn NAME COMMAND...: runs it detached with its words in $SEAM_LOCAL/NAME.log and notes its pid.
spawn() {
  local name=$1
  shift
  setsid nohup "$@" >>"$SEAM_LOCAL/$name.log" 2>&1 </dev/null &
  printf '%s %s %s\n' "$!" "$(started_at "$!")" "$name" >>"$SEAM_LOCAL/pids"
}

# await NAME COMMAND...: asks until the command succeeds, the process is gone or the time is up.
await() {
  local name=$1 pid deadline=$((SECONDS + wait_seconds))
  shift
  pid=$(awk -v n="$name" '$3 == n {print $1}' "$SEAM_LOCAL/pids")
  until "$@" >/dev/null 2>&1; do
    kill -0 "$pid" 2>/dev/null || { tail -n 40 "$SEAM_LOCAL/$name.log" >&2; die "$name ended; the end of its log is above"; }
    ((SECONDS < deadline)) || { tail -n 40 "$SEAM_LOCAL/$name.log" >&2; die "$name did not answer within $wait_seconds s; the end of its log is above"; }
    sleep 0.3
  done
}

# authorize NAME [EXTENSION]: a key and a certificate, signed by the run's own authority, in $SEAM_LOCAL/secure; without an authority
# it is that.
authorize() {
  local dir=$SEAM_LOCAL/secure by=()
  [[ ! -f $dir/ca.crt ]] || by=(-CA "$dir/ca.crt" -CAkey "$dir/ca.key")
  [[ -z ${2:-} ]] || by+=(-addext "$2")
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 "${by[@]}" -subj "/CN=$1" \
    -keyout "$dir/$1.key" -out "$dir/$1.crt" >"$dir/openssl.log" 2>&1 || { cat "$dir/openssl.log" >&2; die "openssl made no certificate for $1"; }
}

# secure_files: the authority, the broker's certificate, and a certificate and a password for each of $users.
secure_files() {
  local user
  mkdir -m 700 "$SEAM_LOCAL/secure"
  authorize ca
  authorize broker "subjectAltName=IP:127.0.0.1,DNS:localhost"
  cat "$SEAM_LOCAL/secure/broker.key" "$SEAM_LOCAL/secure/broker.crt" >"$SEAM_LOCAL/secure/broker.pem"
  for user in "${users[@]}"; do
    authorize "$user"
    head -c 18 /dev/urandom | basenc --base64url >"$SEAM_LOCAL/secure/$user.password"
  done
}

# passwords: the options of kafka-storage format that make $users.
passwords() {
  local user
  for user in "${users[@]}"; do
    printf -- '--add-scram\nSCRAM-SHA-%s=[name=%s,password=%s]\n' 512 "$user" "$(<"$SEAM_LOCAL/secure/$user.password")" 256 "$user" "$(<"$SEAM_LOCAL/secure/$user.password")"
  done
}

# spawn_kafka N starts broker N on its records. Where there are several, none lives long enough to be worth optimizing.
spawn_kafka() {
  local jit=()
  [[ ! -f $SEAM_LOCAL/kafka-2.properties ]] || jit=(-XX:TieredStopAtLevel=1)
  # shellcheck disable=SC2086 # KAFKA_OPTS is several words
  spawn "kafka-$1" java -Xms256m -Xmx768m -XX:+UseSerialGC "${jit[@]}" ${KAFKA_OPTS:-} -cp "$(jars)/kafka/*" kafka.Kafka "$SEAM_LOCAL/kafka-$1.properties"
}

# await_kafka N: until broker N serves its metadata.
await_kafka() {
  local port how=() dir=$SEAM_LOCAL/secure
  port=$(sed -n 's|^advertised.listeners=.*127.0.0.1:||p' "$SEAM_LOCAL/kafka-$1.properties")
  [[ ! -d $dir ]] || how=(-X security.protocol=ssl -X ssl.ca.location="$dir/ca.crt" -X ssl.certificate.location="$dir/broker.crt" -X ssl.key.location="$dir/broker.key")
  await "kafka-$1" bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
  await "kafka-$1" kcat -b "127.0.0.1:$port" "${how[@]}" -L -m 2
}

# configure N: the server.properties of broker N, of as many as $brokers and $controllers name; where there are $certified ports,
# a secure one.
configure() {
  local replicas=${#brokers[@]}
  cat "$here/server.properties"
  printf 'node.id=%s\nlog.dirs=%s\n' "$1" "$SEAM_LOCAL/records-$1"
  local public=PLAINTEXT://127.0.0.1:${brokers[$1 - 1]}
  if ((${#certified[@]})); then
    cat "$here/secure.properties"
    printf 'ssl.keystore.location=%s\nssl.truststore.location=%s\n' "$SEAM_LOCAL/secure/broker.pem" "$SEAM_LOCAL/secure/ca.crt"
    public=SASL_SSL://127.0.0.1:${brokers[$1 - 1]},SSL://127.0.0.1:${certified[$1 - 1]} # await_kafka looks at the last
  fi
  printf 'listeners=%s,CONTROLLER://127.0.0.1:%s\nadvertised.listeners=%s\n' "$public" "${controllers[$1 - 1]}" "$public"
  printf 'controller.quorum.voters=%s\n' "$(for i in "${!controllers[@]}"; do printf '%s%s@127.0.0.1:%s' "$( ((i == 0)) || printf ,)" "$((i + 1))" "${controllers[i]}"; done)"
  printf '%s.replication.factor=%s\n' default "$replicas" offsets.topic "$replicas" transaction.state.log "$replicas" share.coordinator.state.topic "$replicas"
  printf '%s=%s\n' min.insync.replicas "$((replicas / 2 + replicas % 2))" transaction.state.log.min.isr "$((replicas / 2 + replicas % 2))" \
    share.coordinator.state.topic.min.isr "$((replicas / 2 + replicas % 2))"
}

start() {
  local many=1 postgres="" registry=yes secure="" users=(admin)
  while [[ ${1:-} == --* ]]; do
    case $1 in
      --brokers)
        [[ ${2:-} =~ ^[1-9]$ ]] || die "--brokers is \"${2:-}\": write a number from 1 to 9"
        many=$2
        shift
        ;;
      --postgres) postgres=yes ;;
      --no-registry) registry="" ;;
      --secure) secure=yes ;;
      --user)
        [[ ${2:-} =~ ^[a-z][a-z0-9-]*$ ]] || die "--user is \"${2:-}\": small letters, digits and -"
        users+=("$2")
        shift
        ;;
      *) die "unknown option $1: --brokers N, --postgres, --no-registry, --secure, --user NAME" ;;
    esac
    shift
  done
  [[ -n $secure || ${#users[@]} == 1 ]] || die "--user NAME goes with --secure"
  fetch
  local libs registry_jar web manage cluster i brokers=() controllers=() certified=() scram=() taken=""
  libs=$(jars)/kafka
  registry_jar=$(ls "$(jars)"/registry/*-runner.jar)
  SEAM_LOCAL=$(mktemp -d "${TMPDIR:-/tmp}/seam-local.XXXXXX")
  trap '(($? == 0)) || stop' EXIT # a start that did not end well leaves nothing behind
  for ((i = 0; i < many; i++)); do
    brokers[i]=$(free_port); taken+=" ${brokers[i]}"
    controllers[i]=$(free_port); taken+=" ${controllers[i]}"
    [[ -z $secure ]] || { certified[i]=$(free_port); taken+=" ${certified[i]}"; }
  done
  if [[ -n $secure ]]; then
    need openssl openssl
    secure_files
    mapfile -t scram < <(passwords)
  fi
  web=$(free_port); taken+=" $web"
  manage=$(free_port); taken+=" $manage"

  cluster=$(head -c 16 /dev/urandom | basenc --base64url | cut -c1-22)
  for ((i = 1; i <= many; i++)); do
    { configure "$i"; printf '%s\n' "$@"; } >"$SEAM_LOCAL/kafka-$i.properties"
    java -Xmx128m -cp "$libs/*" kafka.tools.StorageTool format --cluster-id="$cluster" "${scram[@]}" \
      -c "$SEAM_LOCAL/kafka-$i.properties" >"$SEAM_LOCAL/format.log" 2>&1 || { cat "$SEAM_LOCAL/format.log" >&2; die "Kafka's storage could not be formatted"; }
  done

  [[ -z $registry ]] || spawn registry env QUARKUS_HTTP_HOST=127.0.0.1 QUARKUS_HTTP_PORT="$web" QUARKUS_MANAGEMENT_PORT="$manage" \
    APICURIO_REST_DELETION_ARTIFACT_ENABLED=true APICURIO_REST_DELETION_ARTIFACT_VERSION_ENABLED=true \
    java -Xmx400m -XX:TieredStopAtLevel=1 -jar "$registry_jar"
  for ((i = 1; i <= many; i++)); do spawn_kafka "$i"; done
  for ((i = 1; i <= many; i++)); do await_kafka "$i"; done
  local addresses
  addresses=$(IFS=,; printf '%s' "${brokers[*]/#/127.0.0.1:}")
  say "Kafka answers at $addresses after $SECONDS s"
  if [[ -n $registry ]]; then
    await registry curl -fsS -m 2 "http://127.0.0.1:$web/apis/ccompat/v7/subjects"
    say "the registry answers at 127.0.0.1:$web after $SECONDS s"
    printf 'export SEAM_REGISTRY=%q\n' "http://127.0.0.1:$web/apis/ccompat/v7"
  fi
  if [[ -n $secure ]]; then
    printf 'export SEAM_KAFKA_CA=%q\nexport SEAM_KAFKA_USER=admin\n' "$SEAM_LOCAL/secure/ca.crt"
    printf 'export SEAM_KAFKA_PASSWORD_FILE=%q\nexport SEAM_LOCAL_MTLS=%q\n' "$SEAM_LOCAL/secure/admin.password" "$(IFS=,; printf '%s' "${certified[*]/#/127.0.0.1:}")"
  fi

  if [[ -n $postgres ]]; then start_postgres "$(free_port)"; fi
  printf 'export SEAM_BROKERS=%q\n' "$addresses"
  printf 'export SEAM_LOCAL=%q\n' "$SEAM_LOCAL"
}

# running dies unless SEAM_LOCAL is a run of this script.
running() {
  [[ -n ${SEAM_LOCAL:-} ]] || die "SEAM_LOCAL is not set: which run? start prints it"
  [[ -d $SEAM_LOCAL && $SEAM_LOCAL == *seam-local.* ]] || die "$SEAM_LOCAL is no run of this script"
}

# signal_kafka SIGNAL N: sends it to broker N that this run began, and to nobody else.
signal_kafka() {
  running
  local pid born name
  while read -r pid born name; do
    [[ $name == "kafka-$2" ]] || continue
    [[ $(started_at "$pid") == "$born" ]] || die "broker $2 ($pid) has ended"
    kill "-$1" "$pid"
    return
  done <"$SEAM_LOCAL/pids"
  die "no broker $2 was started in $SEAM_LOCAL"
}

freeze() { signal_kafka STOP "${1:-1}"; }
thaw() { signal_kafka CONT "${1:-1}"; }

restart() {
  local n=${1:-1} pid born deadline=$((SECONDS + 20))
  signal_kafka KILL "$n"
  read -r pid born _ < <(grep " kafka-$n\$" "$SEAM_LOCAL/pids")
  while [[ $(started_at "$pid") == "$born" ]]; do
    ((SECONDS < deadline)) || die "the broker ($pid) does not end"
    sleep 0.05
  done
  sed -i "/ kafka-$n\$/d" "$SEAM_LOCAL/pids"
  spawn_kafka "$n"
  await_kafka "$n"
  say "broker $n answers again after $SECONDS s"
}

stop() {
  running
  local pid born name deadline=$((SECONDS + 20))
  touch "$SEAM_LOCAL/pids"
  while read -r pid born name; do
    [[ $(started_at "$pid") == "$born" ]] && kill "$([[ $name == postgres ]] && printf -- -INT || printf -- -TERM)" "$pid" 2>/dev/null
  done <"$SEAM_LOCAL/pids"
  while read -r pid born name; do
    while [[ $(started_at "$pid") == "$born" ]]; do
      ((SECONDS < deadline)) || { say "$name ($pid) does not end: killing it"; kill -9 "$pid" 2>/dev/null || true; break; }
      sleep 0.1
    done
  done <"$SEAM_LOCAL/pids"
  rm -rf "$SEAM_LOCAL"
}

case ${1:-} in
  fetch | start | stop | restart | freeze | thaw) "$@" ;;
  *) sed -n '2,21s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
