"""The comparison behind ``schattor demo``.

One multilayer perceptron, one data set, ten optimizers. ``data`` reads and splits, ``model`` computes losses
and gradients, ``methods`` lists the optimizers, ``training`` makes one run, ``experiment`` chooses step sizes
and repeats runs, ``output`` writes tables and figures.
"""
