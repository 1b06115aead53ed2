{{- define "seam.name" -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{- end }}

{{- /* Labels of everything; selectors take the first two and the component. */}}
{{- define "seam.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "seam.labels" -}}
{{ include "seam.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "seam.image" -}}
{{- with .Values.image }}{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}{{ end }}
{{- end }}

{{- /* A key of a topology file in a ConfigMap, whose keys hold no slash. */}}
{{- define "seam.key" -}}{{ replace "/" "__" . }}{{- end }}

{{- /* seam.peer gives {env, mounts} of kafka or registry: .prefix, .at (folder), .peer (values). Secrets become files and NAME_FILE. */}}
{{- define "seam.peer" -}}
{{- $env := dict }}{{ $mounts := list }}
{{- $p := .prefix }}{{ $at := printf "/run/seam/%s" .at }}
{{- with .peer.user }}{{ $_ := set $env (print $p "USER") . }}{{ end }}
{{- with .peer.ca }}{{ if .secret }}
{{- $_ := set $env (print $p "CA") (print $at "/ca/" .key) }}
{{- $mounts = append $mounts (dict "path" (print $at "/ca") "secret" .secret) }}
{{- end }}{{ end }}
{{- with .peer.password }}{{ if .secret }}
{{- $_ := set $env (print $p "PASSWORD_FILE") (print $at "/password/" .key) }}
{{- $mounts = append $mounts (dict "path" (print $at "/password") "secret" .secret) }}
{{- end }}{{ end }}
{{- with .peer.certificate }}{{ if .secret }}
{{- $_ := set $env (print $p "CERT") (print $at "/certificate/" (.cert | default "tls.crt")) }}
{{- $_ := set $env (print $p "KEY") (print $at "/certificate/" (.key | default "tls.key")) }}
{{- $mounts = append $mounts (dict "path" (print $at "/certificate") "secret" .secret) }}
{{- end }}{{ end }}
{{- with .peer.token }}{{ if .url }}
{{- $_ := set $env (print $p "TOKEN_URL") .url }}
{{- $_ := set $env (print $p "CLIENT_ID") .clientId }}
{{- with .scope }}{{ $_ := set $env (print $p "SCOPE") . }}{{ end }}
{{- with .extensions }}{{ $_ := set $env (print $p "EXTENSIONS") . }}{{ end }}
{{- with .clientSecret }}{{ if .secret }}
{{- $_ := set $env (print $p "CLIENT_SECRET_FILE") (print $at "/token/" .key) }}
{{- $mounts = append $mounts (dict "path" (print $at "/token") "secret" .secret) }}
{{- end }}{{ end }}
{{- end }}{{ end }}
{{- toJson (dict "env" $env "mounts" $mounts) }}
{{- end }}

{{- /*
seam.pod is the spec of a pod. .root, .args, .kafka (the role's own), .env, .view (a reference), .ports (name: number), .probe (name
of a port; none for a job), .resources, .restart, .data (emptyDir, claim; none without), .preStop, .topology (name of its ConfigMap).
*/}}
{{- define "seam.pod" -}}
{{- $v := .root.Values }}
{{- $kafka := mustMergeOverwrite (deepCopy $v.kafka) (deepCopy (.kafka | default dict)) }}
{{- $k := include "seam.peer" (dict "prefix" "SEAM_KAFKA_" "at" "kafka" "peer" $kafka) | fromJson }}
{{- $r := include "seam.peer" (dict "prefix" "SEAM_REGISTRY_" "at" "registry" "peer" $v.registry) | fromJson }}
{{- $env := mustMerge (deepCopy $v.env) $k.env $r.env (.env | default dict) }}
{{- $_ := set $env "SEAM_BROKERS" (join "," $kafka.brokers) }}
{{- $_ := set $env "SEAM_REGISTRY" $v.registry.url }}
{{- $_ := set $env "SEAM_ENVIRONMENT" $v.environment }}
{{- $_ := set $env "SEAM_LOG_LEVEL" $v.logLevel }}
{{- with $v.prefix }}{{ $_ := set $env "SEAM_PREFIX" . }}{{ end }}
{{- if $kafka.tls }}{{ $_ := set $env "SEAM_KAFKA_TLS" "true" }}{{ end }}
{{- with $kafka.sasl }}{{ $_ := set $env "SEAM_KAFKA_SASL" . }}{{ end }}
{{- with $v.registry.headers }}{{ $_ := set $env "SEAM_REGISTRY_HEADERS" . }}{{ end }}
{{- if $v.topology.files }}{{ $_ := set $env "SEAM_TOPOLOGY" "/etc/seam/topology" }}{{ else if $v.topology.inImage }}{{ $_ := set $env "SEAM_TOPOLOGY" $v.topology.inImage }}{{ end }}
{{- $mounts := concat $k.mounts $r.mounts }}
{{- range $name, $ref := $v.secrets }}
{{- $_ := set $env (print $name "_FILE") (printf "/run/seam/secrets/%s/%s" $ref.secret $ref.key) }}
{{- $mounts = append $mounts (dict "path" (print "/run/seam/secrets/" $ref.secret) "secret" $ref.secret) }}
{{- end }}
{{- $mounts = uniq $mounts }}
{{- if .data }}{{ $_ := set $env "SEAM_DATA" "/var/lib/seam" }}{{ end }}
{{- with $v.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
serviceAccountName: {{ $v.serviceAccountName }}
automountServiceAccountToken: {{ $v.automountServiceAccountToken }}
enableServiceLinks: false
restartPolicy: {{ .restart | default "Always" }}
terminationGracePeriodSeconds: {{ $v.terminationGracePeriodSeconds }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: seam
    image: {{ include "seam.image" .root }}
    imagePullPolicy: {{ $v.image.pullPolicy }}
    args: {{ toJson .args }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    env:
      {{- range $name := keys $env | sortAlpha }}
      - {name: {{ $name }}, value: {{ get $env $name | quote }}}
      {{- end }}
      {{- if .instance }}
      - {name: SEAM_INSTANCE, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
      {{- end }}
      {{- with .view }}{{ if .secret }}
      - {name: SEAM_VIEW, valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}}
      {{- end }}{{ end }}
    {{- with .ports }}
    ports:
      {{- range $name, $port := . }}
      - {name: {{ $name }}, containerPort: {{ $port }}, protocol: TCP}
      {{- end }}
    {{- end }}
    {{- with .probe }}
    startupProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 2, failureThreshold: 150}
    livenessProbe: {httpGet: {path: /healthz, port: {{ . }}}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
    readinessProbe: {httpGet: {path: /readyz, port: {{ . }}}, periodSeconds: 5, timeoutSeconds: 3}
    {{- end }}
    {{- with .preStop }}
    lifecycle: {preStop: {sleep: {seconds: {{ . }}}}}
    {{- end }}
    resources: {{ toYaml (.resources | default dict) | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- if .data }}
      - {name: data, mountPath: /var/lib/seam}
      {{- end }}
      {{- if $v.topology.files }}
      - {name: topology, mountPath: /etc/seam/topology, readOnly: true}
      {{- end }}
      {{- range $i, $m := $mounts }}
      - {name: secret-{{ $i }}, mountPath: {{ $m.path }}, readOnly: true}
      {{- end }}
volumes:
  - {name: tmp, emptyDir: {sizeLimit: 256Mi}}
  {{- if eq (.data | default "") "emptyDir" }}
  - {name: data, emptyDir: {}}
  {{- end }}
  {{- if $v.topology.files }}
  - name: topology
    configMap:
      name: {{ .topology | default (print (include "seam.name" .root) "-topology") }}
      items:
        {{- range $path := keys $v.topology.files | sortAlpha }}
        - {key: {{ include "seam.key" $path }}, path: {{ $path }}}
        {{- end }}
  {{- end }}
  {{- range $i, $m := $mounts }}
  - {name: secret-{{ $i }}, secret: {secretName: {{ $m.secret }}, defaultMode: 0440}}
  {{- end }}
{{- with $v.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $v.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $v.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $v.topologySpreadConstraints }}
topologySpreadConstraints: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $v.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- /* Metadata of a pod: .root, .component. A changed topology or variable is another pod. */}}
{{- define "seam.podMetadata" -}}
labels:
  {{- include "seam.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .root.Values.podLabels }}{{ toYaml . | nindent 2 }}{{ end }}
annotations:
  seam/topology: {{ toJson .root.Values.topology | sha256sum | trunc 16 }}
  {{- with .root.Values.podAnnotations }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}
