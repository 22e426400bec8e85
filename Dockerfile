# syntax=docker/dockerfile:1

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev
COPY tsconfig.json ./
COPY scripts ./scripts
COPY drizzle ./drizzle
COPY src ./src
RUN node scripts/build.mjs && npm prune --omit=dev

FROM node:24-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends ffmpeg fonts-dejavu-core tini \
  && rm -rf /var/lib/apt/lists/* \
  && install -d -o node -g node /data /media
WORKDIR /app
COPY --chown=node:node package.json LICENSE ./
COPY --chown=node:node config ./config
COPY --chown=node:node drizzle ./drizzle
COPY --chown=node:node --from=build /app/node_modules ./node_modules
COPY --chown=node:node --from=build /app/dist ./dist

ENV NODE_ENV=production \
    AIRCHECK_DATA=/data
USER node
VOLUME ["/data"]
EXPOSE 8880
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=2s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.AIRCHECK_PORT || 8880}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]

# tini is process 1: it passes signals on and collects what becomes an orphan.
ENTRYPOINT ["tini", "--"]
CMD ["node", "dist/main.js", "serve"]
