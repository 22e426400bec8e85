ALTER TABLE "channels" ADD COLUMN "offline_title" text;--> statement-breakpoint
ALTER TABLE "media" ADD COLUMN "credits" jsonb;--> statement-breakpoint
ALTER TABLE "media" ADD COLUMN "artwork" jsonb;