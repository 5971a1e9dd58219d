{{/* One release for each cluster: the name is fixed, so that a second one is refused by helm. */}}
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

{{/* What the restricted Pod Security standard asks for, and a file system that cannot be written. */}}
{{- define "operator.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "operator.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* One file of files/ with the release's labels on each of its documents. Takes (list $ path). */}}
{{- define "operator.shipped" -}}
{{- $root := index . 0 }}
{{- $labels := include "operator.labels" $root | fromYaml }}
{{- range $text := regexSplit "(?m)^---$" ($root.Files.Get (index . 1)) -1 }}
{{- with fromYaml $text }}
{{- $_ := set .metadata "labels" (merge dict $labels (.metadata.labels | default dict)) }}
---
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{/* Says "wait" where accounts are asked for and a cluster answers that does not know the kind yet. */}}
{{- define "operator.accountsWait" -}}
{{- $known := .Capabilities.APIVersions.Has "modelarts.huaweicloud.com/v1alpha1/ModelArtsAccount" }}
{{- if and .Values.accounts (not $known) (lookup "v1" "Namespace" "" "kube-system") -}}
wait
{{- end -}}
{{- end }}
