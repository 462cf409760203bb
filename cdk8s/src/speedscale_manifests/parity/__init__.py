"""How our installation compares with the vendor's chart: facts of its renders, a comparison, a reviewed list.

Called by the verb `parity` and its tests. Everything here but `installation` (which builds our objects from values) is
pure and works on plain objects, so that any two sets of manifests can be compared. No text of the chart is kept here:
`facts/` restates field values only, without descriptions, scripts, keys or certificates.

`flatten` turns objects into fields, `rights` turns RBAC into what each account may do, `facts` reads what the chart's
renders hold, `deviations` the reviewed list, `compare` sets both sides against each other, `report` tells the result.
"""
