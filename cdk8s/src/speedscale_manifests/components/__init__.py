"""The installation's components, one module each: Values in, plain objects out.

Called by `bundle`, `constructs` and the policy's tests. Pure: no file, no clock, no Node. `component` says what a
component is, `inventory` lists them all and what stands in the output.
"""
