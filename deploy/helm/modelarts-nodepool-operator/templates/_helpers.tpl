{{/* One release per cluster: the name is fixed, so helm refuses a second release. */}}
{{- define "operator.name" -}}
modelarts-nodepool-operator
{{- end }}

{{- define "operator.selector" -}}
app.kubernetes.io/name: {{ include "operator.name" . }}
app.kubernetes.io/component: controller
{{- end }}

{{- define "operator.labels" -}}
app.kubernetes.io/name: {{ include "operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The ServiceAccount: the chart's, or an existing one. */}}
{{- define "operator.serviceAccountName" -}}
{{- if and (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) }}
{{- fail "serviceAccount.create is false, so the chart needs an existing ServiceAccount: set serviceAccount.name" }}
{{- end }}
{{- .Values.serviceAccount.name | default (include "operator.name" .) -}}
{{- end }}

{{/* The common part of the Pods of the Deployment and of the uninstall check, without containers. */}}
{{- define "operator.podSpec" -}}
serviceAccountName: {{ include "operator.serviceAccountName" . }}
automountServiceAccountToken: true
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.hostAliases }}
hostAliases: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .Values.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .Values.dnsConfig }}
dnsConfig: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 0 }}
{{- end }}
{{- with .Values.operator.volumes }}
volumes: {{- toYaml . | nindent 0 }}
{{- end }}
{{- end }}

{{/*
The environment of both. Settings that other commands share with `run` are variables and not arguments, so
`kubectl exec … -- modelarts-nodepool doctor` sees the settings of `run`.
*/}}
{{- define "operator.env" -}}
- name: MODELARTS_NODEPOOL_OPERATOR_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- with .Values.operator.endpoints }}
{{- $pairs := list }}
{{- range $region, $url := . }}
{{- $pairs = append $pairs (printf "%s=%s" $region $url) }}
{{- end }}
- name: MODELARTS_NODEPOOL_ENDPOINT
  value: {{ join " " $pairs | quote }}
{{- end }}
{{- range .Values.operator.env }}
{{- include "operator.checkVariable" (list $ .name) }}
{{- end }}
{{- with .Values.operator.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Fails for a variable that a value of the chart overrides or contradicts. Takes (list $ name). */}}
{{- define "operator.checkVariable" -}}
{{- $root := index . 0 }}{{ $name := index . 1 }}
{{- $values := dict "HTTP_PORT" "operator.httpPort" "LOG_FORMAT" "operator.logFormat" "LOG_LEVEL" "operator.logLevel" }}
{{- if $root.Values.operator.endpoints }}{{ $_ := set $values "ENDPOINT" "operator.endpoints" }}{{ end }}
{{- if $root.Values.operator.httpHost }}{{ $_ := set $values "HTTP_HOST" "operator.httpHost" }}{{ end }}
{{- range $suffix, $value := $values }}
{{- if eq $name (printf "MODELARTS_NODEPOOL_%s" $suffix) }}
{{- fail (printf "operator.env has %s, which the chart sets from the value %s: set that value, and remove the variable" $name $value) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Fails for an argument that belongs elsewhere. Takes (list $ argument). */}}
{{- define "operator.checkArgument" -}}
{{- $argument := index . 1 | toString }}
{{- $flag := regexFind "^--[a-z-]+" $argument }}
{{- $values := dict "--http-port" "operator.httpPort" "--http-host" "operator.httpHost" "--log-format" "operator.logFormat" "--log-level" "operator.logLevel" "--endpoint" "operator.endpoints" }}
{{- if hasKey $values $flag }}
{{- fail (printf "extraArgs has %s: set the value %s instead" $flag (get $values $flag)) }}
{{- end }}
{{- if has $flag (list "--operator-namespace") }}
{{- fail "extraArgs has --operator-namespace: it is always the namespace of the release; install the chart there" }}
{{- end }}
{{- if has $flag (list "--ca-bundle" "--sts-endpoint" "--metadata-endpoint" "--kubeconfig") }}
{{- fail (printf "extraArgs has %s: set the variable MODELARTS_NODEPOOL_%s in operator.env instead, so that doctor and the other commands in the Pod see it too" $flag (trimPrefix "--" $flag | upper | replace "-" "_")) }}
{{- end }}
{{- if and $flag (eq $flag $argument) (not (has $flag (list "--leader-election" "--no-leader-election"))) }}
{{- fail (printf "extraArgs has %s without a value: write one item of the form %s=VALUE" $flag $flag) }}
{{- end }}
{{- if and (eq $flag "--no-leader-election") (gt (int (index . 0).Values.replicas) 1) }}
{{- fail "extraArgs has --no-leader-election with more than one replica: both would work at once; set replicas to 1" }}
{{- end }}
{{- end }}

{{/*
"yes" if helm itself installs this release and can query the cluster. Empty in `helm template`, which Argo CD
runs, and in a client-side dry run.
*/}}
{{- define "operator.asksCluster" -}}
{{- if lookup "v1" "Namespace" "" "kube-system" }}yes{{ end -}}
{{- end }}

{{/* "yes" if this release did not install the CRD of this name; the release then leaves it alone. */}}
{{- define "operator.isForeignCrd" -}}
{{- $root := index . 0 }}
{{- $found := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" (index . 1) }}
{{- if and $found (not $root.Values.crds.takeOver) }}
{{- $of := dig "metadata" "annotations" dict $found }}
{{- $name := get $of "meta.helm.sh/release-name" }}{{ $namespace := get $of "meta.helm.sh/release-namespace" }}
{{- if or (ne $name $root.Release.Name) (ne $namespace $root.Release.Namespace) }}yes{{ end }}
{{- end -}}
{{- end }}

{{/* The names of the foreign CRDs, separated by spaces. */}}
{{- define "operator.foreignCrds" -}}
{{- $names := list }}
{{- if .Values.crds.install }}
{{- range $path, $_ := .Files.Glob "files/crds/*.yaml" }}
{{- $name := (($.Files.Get $path) | fromYaml).metadata.name }}
{{- if include "operator.isForeignCrd" (list $ $name) }}{{ $names = append $names $name }}{{ end }}
{{- end }}
{{- end }}
{{- join " " $names -}}
{{- end }}

{{/* The port of a URL, which may have no scheme, as for a proxy. */}}
{{- define "operator.portOf" -}}
{{- $url := . | toString }}
{{- $scheme := regexFind "^[A-Za-z0-9]+://" $url | lower | trimSuffix "://" }}
{{- $authority := regexReplaceAll "^[A-Za-z0-9]+://" $url "" | splitList "/" | first | splitList "@" | last }}
{{- $port := regexFind ":[0-9]+$" $authority | trimPrefix ":" }}
{{- if $port }}{{ $port }}
{{- else if eq $scheme "https" }}443
{{- else if hasPrefix "socks" $scheme }}1080
{{- else }}80
{{- end -}}
{{- end }}

{{/*
The ports of operator.endpoints and operator.env, as a JSON list under "ports"; under "unread" the variables
whose value is unknown at rendering.
*/}}
{{- define "operator.namedPorts" -}}
{{- $ports := list }}{{ $unread := list }}{{ $urls := list }}
{{- range $region, $url := .Values.operator.endpoints }}
{{- if hasPrefix "https:" $url }}{{ $urls = append $urls $url }}{{ end }}
{{- end }}
{{- range .Values.operator.env }}
{{- $isProxy := has (upper .name) (list "HTTPS_PROXY" "HTTP_PROXY" "ALL_PROXY") }}
{{- $isEndpoint := has .name (list "MODELARTS_NODEPOOL_ENDPOINT" "MODELARTS_NODEPOOL_STS_ENDPOINT") }}
{{- if or $isProxy $isEndpoint }}
{{- $value := .value | default "" | toString }}
{{- if or .valueFrom (contains "$(" $value) }}{{ $unread = append $unread .name }}
{{- else if $isProxy }}{{ if $value }}{{ $urls = append $urls $value }}{{ end }}
{{- else }}
{{- range regexSplit "\\s+" (trim $value) -1 }}
{{- $url := regexReplaceAll "^[a-z0-9-]+=" . "" }}
{{- if and $url (not (hasPrefix "http:" $url)) }}{{ $urls = append $urls (ternary $url (printf "https://%s" $url) (contains "://" $url)) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- range $urls }}{{ $ports = append $ports (include "operator.portOf" . | int) }}{{ end }}
{{- dict "ports" (uniq $ports) "unread" (uniq $unread) | toJson -}}
{{- end }}

{{/*
One file of files/ with the release's labels on each document. Takes (list $ path), or (list $ path expressions): the
expressions replace those of the matchConditions of these names.
*/}}
{{- define "operator.shipped" -}}
{{- $root := index . 0 }}
{{- $expressions := dict }}
{{- if gt (len .) 2 }}{{ $expressions = index . 2 }}{{ end }}
{{- $labels := include "operator.labels" $root | fromYaml }}
{{- range $text := regexSplit "(?m)^---$" ($root.Files.Get (index . 1)) -1 }}
{{- with fromYaml $text }}
{{- $_ := set .metadata "labels" (merge dict $labels (.metadata.labels | default dict)) }}
{{- range dig "spec" "matchConditions" list . }}
{{- if hasKey $expressions .name }}{{ $_ := set . "expression" (get $expressions .name) }}{{ end }}
{{- end }}
---
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{/*
"yes" if helm installs the CRDs and the accounts in one run. Helm looks up every kind before it creates anything, so
the accounts are then a post-install hook, and an ordinary part of the release from the next upgrade.
*/}}
{{- define "operator.accountsAfterCrds" -}}
{{- $known := .Capabilities.APIVersions.Has "modelarts.huaweicloud.com/v1alpha1/ModelArtsAccount" }}
{{- if and .Values.accounts (not $known) (include "operator.asksCluster" .) -}}yes{{- end -}}
{{- end }}
