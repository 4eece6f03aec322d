{{- /*
The names of all objects, in one place. They are short and fixed: the namespace, which is the
store's alone, already says whose they are.
*/}}

{{- /* The pod that shoppers reach: Deployment, Service, Ingress, NetworkPolicy, ServiceAccount. */}}
{{- define "name.storefront" -}} storefront {{- end }}

{{- /* The store's own database: StatefulSet, Service, NetworkPolicy, ServiceAccount. The Service's name is its host name. */}}
{{- define "name.database" -}} database {{- end }}

{{- /* The claim for wp-content. */}}
{{- define "name.content" -}} storefront-content {{- end }}

{{- /* The claim for the database's files. */}}
{{- define "name.data" -}} database-data {{- end }}

{{- /* The ConfigMap with what the agent sets up a new shop from, and the login keys; the only place of tenant text. */}}
{{- define "name.site" -}} storefront-site {{- end }}

{{- /* The ConfigMap with what wp-config.php reads. */}}
{{- define "name.storefrontConfig" -}} storefront-config {{- end }}

{{- /* The ConfigMap with the database server's settings. */}}
{{- define "name.databaseConfig" -}} database-config {{- end }}

{{- /* The NetworkPolicy that closes the namespace. */}}
{{- define "name.defaultDeny" -}} default-deny {{- end }}

{{- /* The NetworkPolicy that lets the storefront ask for names. */}}
{{- define "name.allowDns" -}} allow-dns {{- end }}

{{- /* The LimitRange. */}}
{{- define "name.limits" -}} store-limits {{- end }}

{{- /* The database inside the server, and the user that WordPress logs in as. */}}
{{- define "name.schema" -}} wordpress {{- end }}
{{- define "name.user" -}} wordpress {{- end }}
