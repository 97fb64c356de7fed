{{/* The name of the chart in labels. */}}
{{- define "debrief.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What the names of all objects begin with. A role is appended, so it is short. */}}
{{- define "debrief.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "debrief.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "debrief.selector" -}}
app.kubernetes.io/name: {{ include "debrief.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "debrief.labels" -}}
{{- include "debrief.labelsOf" (list . "" (dict)) -}}
{{- end -}}

{{/*
The labels of an object or of a pod: those of the chart, which win because selectors use them, over `labels`, over those
of all objects. Takes [root, component, labels].
*/}}
{{- define "debrief.labelsOf" -}}
{{- $root := index . 0 -}}
{{- $own := include "debrief.selector" $root | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" ($root.Values.image.tag | default $root.Chart.AppVersion | trunc 63 | trimAll "-._") -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- with index . 1 }}{{ $_ := set $own "app.kubernetes.io/component" . }}{{ end -}}
{{- mergeOverwrite (deepCopy $root.Values.commonLabels) (index . 2) $own | toYaml -}}
{{- end -}}

{{/* The annotations of an object: those of all objects, and those of this one. Takes [root, annotations]. */}}
{{- define "debrief.annotations" -}}
{{- $root := index . 0 -}}
{{- with mergeOverwrite (deepCopy $root.Values.commonAnnotations) (index . 1 | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "debrief.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "debrief.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "debrief.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/*
The roles that are on, as YAML: what `roles` says about each, over what `defaults` says. A list in `roles` replaces the
list in `defaults`.
*/}}
{{- define "debrief.roles" -}}
{{- $root := . -}}
{{- $roles := dict -}}
{{- range $role, $own := .Values.roles -}}
{{- $all := mergeOverwrite (deepCopy $root.Values.defaults) (deepCopy ($own | default dict)) -}}
{{- if $all.enabled -}}
{{- $_ := set $roles $role $all -}}
{{- end -}}
{{- end -}}
{{- toYaml $roles -}}
{{- end -}}

{{/* Where each secret setting is, as YAML: NAME: {name, key}. */}}
{{- define "debrief.secrets" -}}
{{- $full := include "debrief.fullname" . -}}
{{- $secrets := dict -}}
{{- if .Values.trial.enabled -}}
{{- range $name := list "DATABASE_URL" "AMQP_URL" "REDIS_URL" "DEBRIEF_API_KEY" -}}
{{- $_ := set $secrets $name (dict "name" (printf "%s-trial" $full) "key" $name) -}}
{{- end -}}
{{- end -}}
{{- if .Values.externalSecrets.enabled -}}
{{- range $name, $_remote := .Values.externalSecrets.data -}}
{{- $_ := set $secrets $name (dict "name" (printf "%s-external" $full) "key" $name) -}}
{{- end -}}
{{- end -}}
{{- $secrets = mergeOverwrite $secrets (deepCopy .Values.secrets) -}}
{{- $needed := list "DATABASE_URL" "AMQP_URL" "DEBRIEF_API_KEY" -}}
{{- if .Values.data.bucket.url -}}
{{- $needed = concat $needed (list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY") -}}
{{- end -}}
{{- range $name := $needed -}}
{{- if not (hasKey $secrets $name) -}}
{{- fail (printf "secrets.%s is missing: name the Secret and its key, for example --set secrets.%s.name=debrief,secrets.%s.key=%s" $name $name $name $name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $_value := .Values.settings -}}
{{- if hasKey $secrets $name -}}
{{- fail (printf "%s stands in `settings` and in `secrets`: keep it in one of them" $name) -}}
{{- end -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}

{{/* The settings that are no secrets, as YAML: what the chart decides and what `settings` says. */}}
{{- define "debrief.settings" -}}
{{- $all := dict "PORT" "8000" "DEBRIEF_BIND" "0.0.0.0" "DEBRIEF_METRICS_BIND" "0.0.0.0:9090" "DEBRIEF_DATA_DIR" "/var/lib/debrief" -}}
{{- with .Values.data.bucket -}}
{{- if .url -}}
{{- $_ := set $all "BLOB_URL" .url -}}
{{- with .region }}{{ $_ := set $all "AWS_REGION" . }}{{ end -}}
{{- with .endpoint }}{{ $_ := set $all "AWS_ENDPOINT" . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := .Values.settings -}}
{{- $_ := set $all $name ($value | toString) -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{/* A duration of ours, such as 25s, 2m or 500ms, in whole seconds, rounded up. */}}
{{- define "debrief.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int -}}
{{- $unit := regexReplaceAll "^[0-9]+" . "" -}}
{{- if eq $unit "ms" -}}{{ divf $number 1000 | ceil }}
{{- else if eq $unit "s" -}}{{ $number }}
{{- else if eq $unit "m" -}}{{ mul $number 60 }}
{{- else if eq $unit "h" -}}{{ mul $number 3600 }}
{{- else -}}{{ fail (printf "settings.DEBRIEF_DRAIN_TIMEOUT: `%s` is no duration such as 25s" .) }}
{{- end -}}
{{- end -}}

{{- define "debrief.claim" -}}
{{ .Values.data.existingClaim | default (include "debrief.fullname" .) }}
{{- end -}}

{{/*
The variables of a container of ours: the paths of the secrets, and `more`, as a YAML list. A path names the Secret and its
key, so that the message about a missing file names them too. Takes [root, more, the value that `more` stands in].
*/}}
{{- define "debrief.env" -}}
{{- $all := list -}}
{{- range $name, $secret := include "debrief.secrets" (index . 0) | fromYaml -}}
{{- $all = append $all (dict "name" (printf "%s_FILE" $name) "value" (printf "/run/secrets/debrief/%s/%s" $secret.name $secret.key)) -}}
{{- end -}}
{{- $taken := list "PORT" "DEBRIEF_BIND" "DEBRIEF_METRICS_BIND" "DEBRIEF_DATA_DIR" -}}
{{- range concat $all (index . 1) -}}
{{- if has .name $taken -}}
{{- fail (printf "%s: the variable %s is set twice, or it is one that the chart sets" (index $ 2) .name) -}}
{{- end -}}
{{- $taken = append $taken .name -}}
{{- end -}}
{{- concat $all (index . 1) | toYaml -}}
{{- end -}}

{{- define "debrief.mounts" -}}
- name: data
  mountPath: /var/lib/debrief
- name: secrets
  mountPath: /run/secrets/debrief
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- end -}}

{{- define "debrief.volumes" -}}
- name: data
  {{- if .Values.data.bucket.url }}
  emptyDir: {}
  {{- else }}
  persistentVolumeClaim:
    claimName: {{ include "debrief.claim" . }}
  {{- end }}
- name: tmp
  emptyDir: {}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range $name, $keys := include "debrief.secretKeys" . | fromYaml }}
      - secret:
          name: {{ $name }}
          # Without it a pod whose Secret is missing would wait without a word. So it starts, and says what it misses.
          optional: true
          items:
            {{- range $keys }}
            - key: {{ . }}
              path: {{ $name }}/{{ . }}
            {{- end }}
      {{- end }}
{{- end -}}

{{/* The keys that are used of each Secret, as YAML: Secret: [key, …]. */}}
{{- define "debrief.secretKeys" -}}
{{- $all := dict -}}
{{- range $_name, $secret := include "debrief.secrets" . | fromYaml -}}
{{- $_ := set $all $secret.name (append (get $all $secret.name | default list) $secret.key | uniq) -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{/*
Where pods may run. A volume that only one node can mount (ReadWriteOnce) keeps them on one node. Takes [root, affinity].
*/}}
{{- define "debrief.affinity" -}}
{{- $root := index . 0 -}}
{{- if index . 1 -}}
{{- index . 1 | toYaml -}}
{{- else if not (or $root.Values.data.bucket.url $root.Values.data.existingClaim (has "ReadWriteMany" $root.Values.data.accessModes)) -}}
podAffinity:
  requiredDuringSchedulingIgnoredDuringExecution:
    - topologyKey: kubernetes.io/hostname
      labelSelector:
        matchLabels:
          {{- include "debrief.selector" $root | nindent 10 }}
          debrief/data: mounted
{{- end -}}
{{- end -}}

{{/* The rights of a pod: as little as the level `restricted` of the pod security standards asks for. */}}
{{- define "debrief.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "debrief.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* One container that runs a command of ours once. Takes [root, name, arguments]. */}}
{{- define "debrief.once" -}}
{{- $root := index . 0 -}}
- name: {{ index . 1 }}
  image: {{ include "debrief.image" $root }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  args: {{ index . 2 | toJson }}
  envFrom:
    - configMapRef:
        name: {{ include "debrief.fullname" $root }}
  env:
    {{- include "debrief.env" (list $root list "secrets") | nindent 4 }}
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    {{- include "debrief.containerSecurity" $root | nindent 4 }}
  resources:
    {{- toYaml $root.Values.defaults.resources | nindent 4 }}
  volumeMounts:
    {{- include "debrief.mounts" $root | nindent 4 }}
{{- end -}}

{{/* How pods are added and taken away: added quickly, taken away slowly. */}}
{{- define "debrief.behavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - {type: Percent, value: 100, periodSeconds: 15}
    - {type: Pods, value: 2, periodSeconds: 15}
  selectPolicy: Max
scaleDown:
  stabilizationWindowSeconds: {{ .Values.autoscaling.scaleDownSeconds }}
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end -}}

{{/*
Which paths belong to which role. What brings calls in goes to ingest, sockets and streams of live calls go to live, practice
has paths of its own, what programs read goes to the API, which also takes the pieces of live calls, and all other paths are
pages of the console. Where the console is off, the API gets them too. As YAML, a list of {path, type, role}.
*/}}
{{- define "debrief.paths" -}}
- {path: /webhook, type: Prefix, role: ingest}
- {path: /webhooks, type: Prefix, role: ingest}
- {path: /api/calls, type: Exact, role: ingest}
- {path: /api/meetings, type: Exact, role: ingest}
- {path: /api/sessions, type: Exact, role: ingest}
{{- if hasKey (include "debrief.roles" . | fromYaml) "live" }}
- {path: /socket.io, type: Prefix, role: live}
- {path: /streams, type: Prefix, role: live}
{{- end }}
{{- if hasKey (include "debrief.roles" . | fromYaml) "practice" }}
{{- range $path := list "/api/salesperson" "/api/company" "/api/meeting" "/api/conversation" }}
- {path: {{ $path }}, type: Prefix, role: practice}
{{- end }}
{{- end }}
{{- if hasKey (include "debrief.roles" . | fromYaml) "console" }}
{{- range $path := list "/api" "/call" "/stats" "/docs" "/openapi.json" "/health" "/ready" "/metrics" }}
- {path: {{ $path }}, type: Prefix, role: api}
{{- end }}
- {path: /, type: Prefix, role: console}
{{- else }}
- {path: /, type: Prefix, role: api}
{{- end }}
{{- end -}}
