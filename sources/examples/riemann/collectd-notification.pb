2¾€îÊÔcriticalcheck/gauge"db-1:notification:
productionJ
hostdb-1J
plugincheckJ
typegaugeJ*
integration_keykey-of-riemann-collectdJ
descriptiondisk is dyingP€€ï†ÓÅ–